/** A page that gives responses to the Cache API, and whose service worker responds with them. */
import { type Subject, subjects } from '../../../contracts/handed-on.ts';

let here: ReturnType<typeof subjects> | undefined;

const page = {
  async ready(upstream: string): Promise<void> {
    here = subjects(upstream);
    await navigator.serviceWorker.register(`/worker.js?upstream=${encodeURIComponent(upstream)}`);
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller)
      await new Promise((done) =>
        navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }),
      );
  },
  /** By the service worker. @returns status and text. */
  async read(path: string, method = 'GET'): Promise<[number, string]> {
    const response = await globalThis.fetch(path, { method });
    return [response.status, await response.text()];
  },
  /** @returns status and length. */
  async size(path: string): Promise<[number, number]> {
    const { status, body } = await globalThis.fetch(path);
    const reader = body?.getReader();
    let length = 0;
    for (let next = await reader?.read(); next?.value; next = await reader?.read())
      length += next.value.length;
    return [status, length];
  },
  /** Of the service worker. */
  state: async () => (await globalThis.fetch('/state')).json() as Promise<Awaited<ReturnType<typeof own>>>,
  own,
  /** Puts a response of the page's own fetch into a cache. @returns the cached response. */
  async put(subject: Subject, url: string): Promise<[number, string] | undefined> {
    if (!here) throw new Error('call ready() first');
    const cache = await caches.open('handed-on');
    await cache.put(url, await here.fetches[subject](url));
    const found = await cache.match(url);
    return found && [found.status, await found.text()];
  },
  /** Responses that only the platform can make. */
  async untouched(url: string): Promise<[string, string, boolean]> {
    const fetch = here?.fetches.bulkhead;
    const opaque = await fetch?.(url, { mode: 'no-cors' });
    const cache = await caches.open('opaque');
    if (opaque) await cache.put(url, opaque);
    const found = await cache.match(url);
    return [opaque?.type ?? '', found?.type ?? '', Object.getPrototypeOf(opaque) === Response.prototype];
  },
};

function own() {
  if (!here) throw new Error('call ready() first');
  return here.state();
}

export type Page = typeof page;

Object.assign(globalThis, { page });
