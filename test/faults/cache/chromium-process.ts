import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chromiumOptions } from '../../runtimes/browsers.ts';
import { chromium } from '../../runtimes/installed.ts';

export interface ChromiumProcess {
  /** The browser and all that it has started: at once, without a chance to put anything in order. */
  kill(): Promise<void>;
}

/** Opens a page in a Chromium whose process is ours, and which nobody drives. */
export function startChromium(profile: string, url: string): ChromiumProcess {
  const args = [
    '--headless',
    '--disable-breakpad',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
    ...chromiumOptions.args,
    url,
  ];
  const browser = spawn(chromium ?? 'chromium', args, {
    // A group of its own, so that its helpers can be killed with it.
    detached: true,
    // Nobody speaks over the pipe, but Chromium ends with it: a test run that is killed leaves no browser behind.
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    // It leaves files there that only an orderly end removes.
    env: { ...process.env, TMPDIR: profile },
  });
  return {
    async kill() {
      const ended = once(browser, 'exit');
      process.kill(-(browser.pid as number), 'SIGKILL');
      await ended;
    },
  };
}
