import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDisplay } from './display.ts';
import { miniBrowser, missingForWebkit, webkitDriver } from './installed.ts';

export interface WebKit {
  open(url: string): Promise<void>;
  /** Runs the body of a function in the page that is open; it may return a promise of anything JSON can carry. */
  evaluate(body: string, ...args: unknown[]): Promise<unknown>;
  /** Opens another window, side by side with the first: it is seen, so its timers are not slowed down. */
  addWindow(): Promise<string>;
  /** Makes it the one that is meant by `open` and `evaluate`. */
  enter(window: string): Promise<void>;
  close(): Promise<void>;
}

/** In the message of an error if the browser has ended by itself. */
export const CRASHED = 'the browser has crashed';

/**
 * Starts WebKitGTK. Playwright and Puppeteer cannot drive the one that Linux distributions ship, but it comes with a
 * WebDriver of its own, and the few commands needed are plain HTTP (https://www.w3.org/TR/webdriver2/).
 */
export async function launchWebKit(): Promise<WebKit> {
  const missing = missingForWebkit();
  if (missing || !webkitDriver) throw new Error(missing);
  const display = await openDisplay();
  const home = await mkdtemp(join(tmpdir(), 'holdfast-webkit-'));
  const port = await freePort();
  const driver = spawn(webkitDriver, ['-p', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...display.env,
      HOME: home,
      XDG_CACHE_HOME: home,
      XDG_CONFIG_HOME: home,
      XDG_DATA_HOME: home,
      LIBGL_ALWAYS_SOFTWARE: '1',
    },
  });
  let said = '';
  for (const output of [driver.stdout, driver.stderr])
    output.on('data', (text) => {
      said = (said + text).slice(-2_000);
    });
  let session: string | undefined;

  async function command(method: string, path: string, body?: object): Promise<unknown> {
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const { value } = (await response.json()) as { value: unknown };
    if (response.ok) return value;
    const { error, message } = value as { error: string; message: string };
    const problem = session && error === 'invalid session id' ? CRASHED : `${error}: ${message}`;
    throw new Error(`WebKit, ${method} ${path}: ${problem}\n${said}`.trim());
  }

  async function close(): Promise<void> {
    // The driver takes its browser along, but a browser that has gone already is no reason to leave the rest behind.
    if (session) await command('DELETE', session).catch(() => {});
    driver.kill();
    display.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    await untilReady(() => command('GET', '/status'));
    const options = { binary: miniBrowser, args: ['--automation'] };
    const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': options } };
    const { sessionId } = (await command('POST', '/session', { capabilities })) as { sessionId: string };
    session = `/session/${sessionId}`;
  } catch (error) {
    await close();
    throw error;
  }

  return {
    async open(url) {
      await command('POST', `${session}/url`, { url });
    },
    evaluate: (script, ...args) => command('POST', `${session}/execute/sync`, { script, args }),
    async addWindow() {
      const added = await command('POST', `${session}/window/new`, { type: 'window' });
      return (added as { handle: string }).handle;
    },
    async enter(handle) {
      await command('POST', `${session}/window`, { handle });
    },
    close,
  };
}

async function untilReady(ask: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await ask();
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(100);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
