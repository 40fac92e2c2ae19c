/** A service worker that responds with the unread response of a fetch of ours. */
import { handler } from '../handler.ts';

interface FetchEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
  waitUntil(work: Promise<unknown>): void;
}

interface Scope {
  skipWaiting(): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  readonly clients: { claim(): Promise<void> };
  readonly location: Location;
}

const scope = globalThis as unknown as Scope;
const respond = handler(new URL(scope.location.href).searchParams.get('upstream') ?? '');

scope.addEventListener('install', () => scope.skipWaiting());
scope.addEventListener('activate', (event: FetchEvent) => event.waitUntil(scope.clients.claim()));
scope.addEventListener('fetch', (event: FetchEvent) => {
  const { pathname } = new URL(event.request.url);
  if (pathname === '/state' || pathname.split('/').length === 3)
    event.respondWith(respond(event.request, (work) => event.waitUntil(work)));
});
