import { type HoldfastFetch, indexedDBStore, pipeline, staleCache } from '../../../src/index.ts';

interface Setup {
  readonly database: string;
  /** The hot layer before the store. */
  readonly memory: false | '50MB';
  readonly maxEntries?: number;
  /** What is there for those who ask further; nothing is no answer. */
  readonly origin: (request: Request) => Response | Promise<Response> | undefined;
}

export interface Cached {
  readonly fetch: HoldfastFetch;
  /** Everything is stored that is going to be. */
  settled(): Promise<void>;
}

/** A pipeline of nothing but a stale cache that gives what is fresh. */
export function cached({ database, memory, maxEntries = 1_000, origin }: Setup): Cached {
  const underway = new Set<Promise<unknown>>();
  const store = indexedDBStore({ name: database });
  const fetch = pipeline([staleCache({ store, mode: 'cache-first', memory, maxEntries })], {
    partition: 'public',
    async fetch(request) {
      // Where a cached response should have been given without asking, this is not to be mistaken for one.
      return (await origin(request)) ?? new Response(null, { status: 404 });
    },
    waitUntil(work) {
      underway.add(work);
      void work.finally(() => underway.delete(work));
    },
  });
  return {
    fetch,
    async settled() {
      while (underway.size > 0) await Promise.all(underway);
    },
  };
}
