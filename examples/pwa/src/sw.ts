import { serviceWorker } from 'holdfast/service-worker';
import { box, fetch, session } from './data.ts';

/** What this worker uses of its global scope. TypeScript's own types of it exclude those of a page. */
interface Scope {
  /** Written into the built worker by vite.config.ts. */
  readonly SHELL: { readonly version: string; readonly files: readonly string[] };
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
}
interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const scope = globalThis as unknown as Scope;

// Delivers the outbox when the browser wakes this worker (Background Sync), also with all tabs closed.
serviceWorker({ fetch, outbox: box, ready: session.ready });

// The shell: all files of the build, cached together under their version.
const { version, files } = scope.SHELL;
const NAME = `shell-${version}`;
const urlOf = (file: string): string =>
  new URL(file === 'index.html' ? './' : file, scope.location.href).href;
const urls = new Set(files.map(urlOf));

scope.addEventListener('install', (event) =>
  // `no-cache`: files without a digest in their names may be in the HTTP cache.
  event.waitUntil(
    caches
      .open(NAME)
      .then((cache) => cache.addAll([...urls].map((url) => new Request(url, { cache: 'no-cache' })))),
  ),
);

scope.addEventListener('activate', (event) =>
  event.waitUntil(dropOldShells().then(() => scope.clients.claim())),
);

async function dropOldShells(): Promise<void> {
  for (const name of await caches.keys())
    if (name.startsWith('shell-') && name !== NAME) await caches.delete(name);
}

scope.addEventListener('message', ({ data }) => {
  if (data === 'take over') scope.skipWaiting();
});

// Every page of this app is index.html. Data is not in the shell: the page reads it through holdfast.
scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = request.mode === 'navigate' ? urlOf('index.html') : request.url;
  if (request.method !== 'GET' || !urls.has(url)) return;
  event.respondWith(
    caches.match(url, { cacheName: NAME }).then((cached) => cached ?? globalThis.fetch(request)),
  );
});
