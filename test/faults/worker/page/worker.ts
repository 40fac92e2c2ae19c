import { serviceWorker } from '../../../../src/service-worker.ts';
import { pipeline } from './pipeline.ts';

interface Scope {
  skipWaiting(): void;
  addEventListener(type: string, listener: (event: { waitUntil(work: unknown): void }) => void): void;
  readonly clients: { claim(): Promise<void> };
}

const scope = globalThis as unknown as Scope;
const { fetch, queue, session } = pipeline();

serviceWorker({
  fetch,
  outbox: queue,
  ready: session.ready,
  routes: [
    { match: '/orders', staleCache: {} },
    { match: '/kept', outbox: true },
  ],
});

scope.addEventListener('install', () => scope.skipWaiting());
// It controls the pages that have registered it at once.
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));
