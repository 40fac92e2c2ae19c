import { find } from './find.ts';

/** The programs that tests run in. Browsers come with the machine, the others from npm as well. */
export const chromium = find('chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome');
export const firefox = find('firefox-esr', 'firefox');
export const webkitDriver = find('WebKitWebDriver');
export const miniBrowser = find(
  '/usr/lib{,64}/{*/,}webkit2gtk-4.*/MiniBrowser',
  '/usr/libexec/webkit2gtk-4.*/MiniBrowser',
);
export const deno = find('./node_modules/.bin/deno', 'deno');
export const bun = find('./node_modules/.bin/bun', 'bun');
export const xvfb = find('Xvfb');

const hasDisplay = Boolean(process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY);

/** What WebKit lacks here, or nothing. */
export function missingForWebkit(): string | undefined {
  if (!webkitDriver || !miniBrowser) return 'no WebKitGTK with its WebDriver and MiniBrowser';
  if (!hasDisplay && !xvfb) return 'no display, and no Xvfb to make one';
  return undefined;
}
