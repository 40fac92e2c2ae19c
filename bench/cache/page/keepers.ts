import { createStore, get, set } from 'idb-keyval';
import { HEADERS } from '../answer.ts';
import { cached } from './holdfast.ts';
import { raw } from './raw.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

/** Something that keeps answers. */
export interface Keeper {
  readonly name: string;
  keep(url: string, body: Bytes): Promise<unknown>;
  hit(url: string): Promise<ArrayBuffer>;
}

const init = (): ResponseInit => ({ headers: HEADERS as [string, string][] });

export const inMap = (): Keeper => {
  const all = new Map<string, { headers: [string, string][]; body: Bytes }>();
  return {
    name: 'Map',
    async keep(url, body) {
      all.set(url, { headers: HEADERS as [string, string][], body });
    },
    async hit(url) {
      const { headers, body } = found(all.get(url));
      return new Response(body, { headers }).arrayBuffer();
    },
  };
};

export const inKeyval = (): Keeper => {
  const store = createStore('bench-keyval', 'answers');
  return {
    name: 'idb-keyval',
    keep: (url, body) => set(url, { headers: HEADERS, body }, store),
    async hit(url) {
      const { headers, body } = found(await get<{ headers: [string, string][]; body: Bytes }>(url, store));
      return new Response(body, { headers }).arrayBuffer();
    },
  };
};

export const inCacheAPI = async (): Promise<Keeper> => {
  const cache = await caches.open('bench');
  return {
    name: 'Cache API',
    keep: (url, body) => cache.put(url, new Response(body, init())),
    hit: async (url) => found(await cache.match(url)).arrayBuffer(),
  };
};

/** What `max-age` alone is worth. */
export const inBrowser: Keeper = {
  name: "the browser's HTTP cache",
  keep: async (url) => (await fetch(url)).arrayBuffer(),
  hit: async (url) => (await fetch(url)).arrayBuffer(),
};

export const inHoldfast = (name: string, memory: false | '50MB'): Keeper => {
  let body: Bytes | undefined;
  const { fetch, settled } = cached({
    database: `bench ${name}`,
    memory,
    origin: () => body && new Response(body, init()),
  });
  return {
    name,
    async keep(url, given) {
      body = given;
      await (await fetch(url)).arrayBuffer();
      await settled();
      body = undefined;
    },
    hit: async (url) => (await fetch(url)).arrayBuffer(),
  };
};

export const rawBytes = (): Promise<Keeper> => raw('raw IndexedDB', (body) => body);

export const rawBlob = (): Promise<Keeper> => raw('raw IndexedDB, a Blob', (body) => new Blob([body]));

export function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it was kept and is not there');
  return value;
}
