#!/usr/bin/env bash
# Installs the browsers that the tests run in, and Redis, where that takes no question: with apt-get, as root or with a sudo
# that asks for no password. Everything else comes from npm.
set -euo pipefail

# What to install, and the programs that make it unnecessary.
missing=()
need() {
  local package=$1 program
  shift
  for program in "$@"; do
    if command -v "$program" >/dev/null; then return; fi
  done
  missing+=("$package")
}
need chromium chromium chromium-browser google-chrome-stable google-chrome
need firefox-esr firefox-esr firefox
need webkit2gtk-driver WebKitWebDriver
need xvfb Xvfb
need redis-server redis-server

if [ ${#missing[@]} -eq 0 ]; then
  echo 'The browsers and Redis are here.'
  exit 0
fi

by_hand() {
  echo "Please install by hand, or what your system has in their place: $*"
  echo 'The tests run without them too, and name what is missing.'
  exit 0
}

command -v apt-get >/dev/null || by_hand "${missing[@]}"
if [ "$(id -u)" -eq 0 ]; then
  as_root=(env)
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n env)
else
  by_hand "${missing[@]}"
fi

echo "Installing with apt-get: ${missing[*]}"
"${as_root[@]}" apt-get update -q
known=()
unknown=()
for package in "${missing[@]}"; do
  if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); else unknown+=("$package"); fi
done
if [ ${#known[@]} -gt 0 ]; then
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${known[@]}"
fi
[ ${#unknown[@]} -eq 0 ] || by_hand "${unknown[@]}"
