import type { Times } from '../../measure/race.ts';
import { streamed } from '../answer.ts';
import { cached } from './holdfast.ts';
import { found } from './keepers.ts';
import { inRounds, type Rounds } from './rounds.ts';

/** Milliseconds from the call to the first chunk of the body, and to its end. */
export type Misses = Record<'first' | 'whole', Times>;

interface Way {
  readonly name: string;
  fetch(url: string): Promise<Response>;
  /** Everything is stored; nobody is to pay for another's writing. */
  settled(): Promise<unknown>;
}

const SIZE = 1_000_000;
const MISSES = 4;

export async function misses(rounds: Rounds): Promise<Misses> {
  const ways = [plain, await withCacheAPI(), withHoldfast()];
  let asked = 0;
  const turn = async ({ fetch, settled }: Way): Promise<Record<'first' | 'whole', number>> => {
    let first = 0;
    let whole = 0;
    for (let miss = 0; miss < MISSES; miss++) {
      const start = performance.now();
      const { body } = await fetch(new URL(streamed(SIZE, asked++), location.href).href);
      const reader = found(body ?? undefined).getReader();
      let { done, value } = await reader.read();
      first += (performance.now() - start) / MISSES;
      let size = 0;
      for (; !done; { done, value } = await reader.read()) size += value?.byteLength ?? 0;
      whole += (performance.now() - start) / MISSES;
      if (size !== SIZE) throw new Error(`${size} bytes came of ${SIZE}`);
      await settled();
    }
    return { first, whole };
  };
  return inRounds(
    ways.map((way) => [way.name, () => turn(way)] as const),
    rounds,
  );
}

const plain: Way = { name: 'fetch', fetch: (url) => fetch(url), settled: async () => {} };

/** As service workers do it. */
async function withCacheAPI(): Promise<Way> {
  const cache = await caches.open('bench misses');
  let stored: Promise<void> | undefined;
  return {
    name: 'fetch and cache.put(clone)',
    async fetch(url) {
      const response = await fetch(url);
      stored = cache.put(url, response.clone());
      return response;
    },
    settled: async () => stored,
  };
}

function withHoldfast(): Way {
  // Few enough that what is stored does not fill the disk.
  const setup = { database: 'bench misses', memory: false, maxEntries: 20 } as const;
  const { fetch: through, settled } = cached({ ...setup, origin: (request) => fetch(request) });
  return { name: 'holdfast', fetch: (url) => through(url), settled };
}
