import { once } from 'node:events';
import { appendFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, type InlineConfig } from 'vite';

/** The origin of an app, under `/api` of its development server. */
export interface Origin {
  /** What reached the app's own server, as `PUT /orders/1`. */
  readonly seen: readonly string[];
  /** Resets every connection, or those of one method, until it heals. */
  vanish(method?: string): void;
  /** Responds to everything with this status, until it heals. */
  fail(status: number): void;
  /** Requests of this method wait, until the origin heals. */
  hold(method: string): void;
  /** How many requests wait. */
  readonly held: number;
  heal(): void;
  /** Heals, and forgets what was seen. */
  reset(): void;
}

export interface DevServer {
  /** Ends with a slash. */
  readonly url: string;
  readonly folder: string;
  readonly origin: Origin;
  /** Saves a source file with a change that means nothing, as an editor would, until Vite has seen it. */
  touch(file: string): Promise<void>;
  write(file: string, source: string): Promise<void>;
  close(): Promise<void>;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/**
 * Starts Vite over a temporary folder.
 *
 * @param source A folder to copy, or the files of the app by name.
 * @param listener Stands in for the app's own server.
 */
export async function startDevServer(
  source: string | Readonly<Record<string, string>>,
  listener?: Listener,
): Promise<DevServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-example-'));
  const write = async (file: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  };
  if (typeof source === 'string')
    await cp(source, folder, { recursive: true, filter: (file) => !file.includes('node_modules') });
  else for (const [file, text] of Object.entries(source)) await write(file, text);
  await symlink(resolve('node_modules'), join(folder, 'node_modules'), 'junction');

  const { origin, gate } = misbehaving();
  const config: InlineConfig = {
    root: folder,
    cacheDir: join(folder, '.vite'),
    resolve: {
      alias: [
        { find: /^holdfast$/, replacement: resolve('src/index.ts') },
        { find: /^holdfast\/(.*)$/, replacement: resolve('src/$1.ts') },
      ],
    },
    // A dependency that Vite discovers late reloads the page.
    optimizeDeps: { include: ['idb-keyval', 'ky'] },
    server: { host: '127.0.0.1', port: 0, fs: { allow: [folder, resolve('.')] } },
    logLevel: 'error',
    clearScreen: false,
    plugins: [
      {
        name: 'misbehaving-origin',
        enforce: 'pre',
        configureServer({ middlewares }) {
          middlewares.use('/api', gate);
          if (listener) middlewares.use('/api', listener);
        },
      },
    ],
  };
  const server = await createServer(config);
  await server.listen();
  return {
    url: server.resolvedUrls?.local[0] ?? '',
    folder,
    origin,
    async touch(file) {
      // The watcher drops a change that comes within 50 ms of the one before.
      let isSeen = false;
      while (!isSeen) {
        const change = once(server.watcher, 'change').then(() => true);
        await appendFile(join(folder, file), '\n// edited\n');
        isSeen = await Promise.race([change, delay(5000, false)]);
      }
    },
    write,
    async close() {
      origin.heal();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function misbehaving() {
  let behaviour: { reset: string | undefined } | { status: number } | { hold: string } | undefined;
  let held: (() => void)[] = [];
  let seen: string[] = [];

  const gate = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    // Chromium itself repeats a request over a connection that it reused.
    response.setHeader('Connection', 'close');
    if (behaviour && 'reset' in behaviour && (behaviour.reset ?? request.method) === request.method)
      return void request.socket.destroy();
    if (behaviour && 'status' in behaviour) return void response.writeHead(behaviour.status).end('{}');
    const pass = (): void => {
      // The page that sent it was reloaded.
      if (request.destroyed) return;
      seen.push(`${request.method} ${request.url}`);
      next();
    };
    if (behaviour && 'hold' in behaviour && behaviour.hold === request.method) held.push(pass);
    else pass();
  };

  const origin: Origin = {
    get seen() {
      return seen;
    },
    vanish(method) {
      behaviour = { reset: method };
    },
    fail(status) {
      behaviour = { status };
    },
    hold(method) {
      behaviour = { hold: method };
    },
    get held() {
      return held.length;
    },
    heal() {
      behaviour = undefined;
      const waiting = held;
      held = [];
      for (const pass of waiting) pass();
    },
    reset() {
      origin.heal();
      seen = [];
    },
  };
  return { origin, gate };
}
