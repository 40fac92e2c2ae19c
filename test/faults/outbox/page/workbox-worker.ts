/**
 * A service worker as the documentation of workbox-background-sync has it, and its users have it
 * beyond that.
 */
import { Queue } from 'workbox-background-sync';
import { LANES } from './writes.ts';

/** The types that are needed here; the types of pages do not have them. */
interface Worker {
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: WorkerEvent) => void): void;
}
interface WorkerEvent {
  readonly request: Request;
  readonly ports: readonly MessagePort[];
  waitUntil(work: Promise<unknown>): void;
  respondWith(response: Promise<Response>): void;
}
const worker = globalThis as unknown as Worker;

/** One for each lane, so that none waits for another. */
const queues = new Map<string, Queue>(
  LANES.map((lane) => [lane, new Queue(lane, { onSync: ({ queue }) => replayed(queue) })]),
);

worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener('fetch', (event) => {
  const lane = new URL(event.request.url).pathname.split('/')[1] ?? '';
  const queue = queues.get(lane);
  if (event.request.method === 'POST' && queue) event.respondWith(answered(event.request, queue));
});
// The browser's own sync comes late and three times at most, so the page asks as well.
worker.addEventListener('message', (event) => event.waitUntil(replayAll(event.ports[0])));

async function answered(request: Request, queue: Queue): Promise<Response> {
  try {
    return await send(request.clone());
  } catch {
    await queue.pushRequest({ request });
    return new Response(null, { status: 202 });
  }
}

/** As its `replayRequests`, which however takes a 503 for a delivery. */
async function replay(queue: Queue): Promise<void> {
  for (;;) {
    const entry = await queue.shiftRequest();
    if (!entry) return;
    try {
      await send(entry.request.clone());
    } catch (error) {
      await queue.unshiftRequest(entry);
      throw error;
    }
  }
}

const replaying = new Map<Queue, Promise<void>>();

/** One at a time: two would both take the first write, and that would be our fault. */
function replayed(queue: Queue): Promise<void> {
  const running = replaying.get(queue) ?? replay(queue).finally(() => replaying.delete(queue));
  replaying.set(queue, running);
  return running;
}

/** Reports how many are left. */
async function replayAll(port: MessagePort | undefined): Promise<void> {
  await Promise.allSettled([...queues.values()].map(replayed));
  const sizes = await Promise.all([...queues.values()].map((queue) => queue.size()));
  port?.postMessage(sizes.reduce((all, size) => all + size, 0));
}

/** @throws if the response asks for another attempt. */
async function send(request: Request): Promise<Response> {
  const response = await fetch(request, { signal: AbortSignal.timeout(500) });
  if (response.status === 429 || response.status >= 500) throw new Error(`${response.status}`);
  return response;
}
