import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium, firefox } from '../../tools/runtimes/installed.ts';

/** A browser whose process is ours, with a page open, and without a driver. */
export interface BrowserProcess {
  /** It and all its child processes: at once, without a chance to clean up. */
  kill(): Promise<void>;
}

/** @param profile A folder, on which the next one may be started. */
export type StartBrowser = (profile: string, url: string) => BrowserProcess;

export const startChromium: StartBrowser = (profile, url) => startChromiumWith([], profile, url);

/**
 * With the databases that are to replace LevelDB's; where the browser does not know them, with
 * LevelDB's.
 */
export const startChromiumOnSQLite: StartBrowser = (profile, url) =>
  startChromiumWith(['--enable-features=IdbSqliteBackingStore,IdbSqliteOnDiskRollout'], profile, url);

function startChromiumWith(more: readonly string[], profile: string, url: string): BrowserProcess {
  const args = [
    '--headless',
    '--disable-breakpad',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
    ...chromiumOptions.args,
    ...more,
    url,
  ];
  const browser = spawn(chromium ?? 'chromium', args, {
    // A group of its own, so that its helpers can be killed with it.
    detached: true,
    // No messages go over the pipe, but Chromium ends with it: a test run that is killed leaves no
    // browser behind.
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    // It leaves files there that only an orderly end removes.
    env: { ...process.env, TMPDIR: profile },
  });
  return killable(browser);
}

export const startFirefox: StartBrowser = (profile, url) => {
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, 'user.js'), lines.join(''));
  const args = [firefox ?? 'firefox', '--headless', '--no-remote', '--profile', profile, url];
  // Firefox does not end with a pipe, so a process in its group does.
  const ending = '(cat <&3; kill -KILL 0) >/dev/null & exec "$@" 3<&-';
  const browser = spawn('sh', ['-c', ending, 'sh', ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: { ...process.env, TMPDIR: profile },
  });
  return killable(browser);
};

/** Options that make it start as after an orderly end, and sooner. */
const preferences = {
  'toolkit.startup.max_resumed_crashes': -1,
  'browser.sessionstore.resume_from_crash': false,
  // No dialog and no request before the page is there, except to the test's own servers.
  'browser.aboutwelcome.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.normandy.enabled': false,
  'app.update.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'extensions.getAddons.cache.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  // As few processes as possible.
  'dom.ipc.processCount': 1,
  'dom.ipc.processPrelaunch.enabled': false,
  'extensions.webextensions.remote': false,
  'fission.autostart': false,
};

function killable(browser: ChildProcess): BrowserProcess {
  const ended = once(browser, 'exit');
  return {
    async kill() {
      try {
        process.kill(-(browser.pid as number), 'SIGKILL');
      } catch {
        // The whole group has ended by itself.
      }
      await ended;
    },
  };
}
