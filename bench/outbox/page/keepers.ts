import { createStore, set } from 'idb-keyval';
import { Holdfast } from './holdfast.ts';
import { RawQueue } from './raw.ts';
import { RawPages } from './raw-pages.ts';
import { Workbox } from './workbox.ts';
import { initOf, URL_OF_WRITES } from './write.ts';

/** Milliseconds from the call. */
export interface Taken {
  /** To the commit of the last of them. */
  readonly committed: number;
  /** Until everybody had an answer. */
  readonly answered: number;
}

/** Something that keeps writes. */
export interface Keeper {
  readonly name: string;
  /** Keeps so many at once. */
  take(count: number): Promise<Taken>;
}

export const raw = async (): Promise<Keeper> => {
  const queue = await RawQueue.open('bench raw enqueue');
  return keeper('raw IndexedDB', (count) => queue.add(count));
};

/** What it costs that a queue can be listed without its bodies. */
export const rawListed = async (): Promise<Keeper> => {
  const pages = await RawPages.open('bench raw enqueue, listed');
  return keeper('raw, with an index, body apart', (count) => pages.add(count));
};

export const inHoldfast = (): Keeper => holdfast('holdfast', 'enqueue', () => ({ lane: 'orders' }));

/** With one that the application gives, by which a double click is found. */
export const withIds = (): Keeper =>
  holdfast('holdfast, with an id', 'enqueue with ids', () => ({ lane: 'orders', id: crypto.randomUUID() }));

export const inWorkbox = (): Keeper => {
  const queue = new Workbox('enqueue');
  return keeper('workbox, relaxed', (count) => atOnce(count, (number) => queue.enqueue(number)));
};

export const inKeyval = (): Keeper => {
  const store = createStore('bench keyval', 'writes');
  const keep = (number: number): Promise<void> =>
    set(crypto.randomUUID(), { url: URL_OF_WRITES, ...initOf(number) }, store);
  return keeper('idb-keyval, relaxed', (count) => atOnce(count, keep));
};

function holdfast(name: string, queue: string, of: () => { lane: string; id?: string }): Keeper {
  const box = new Holdfast(queue);
  return keeper(name, (count, committed) => atOnce(count, (number) => box.enqueue(number, of(), committed)));
}

function keeper(name: string, keep: (count: number, committed: () => void) => Promise<unknown>): Keeper {
  return {
    name,
    async take(count) {
      const start = performance.now();
      let committed: number | undefined;
      await keep(count, () => {
        committed = performance.now() - start;
      });
      const answered = performance.now() - start;
      return { committed: committed ?? answered, answered };
    },
  };
}

const atOnce = (count: number, keep: (number: number) => Promise<unknown>): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, number) => keep(number)));
