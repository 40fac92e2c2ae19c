/** The functions that tests call in a page. */
import { setClock } from './clock.ts';
import { fillAll, fillDisk, holdOpen, letGo, makeRoom, records, remove } from './database.ts';
import { bodies, expected, type Kind } from './large.ts';
import { keyOf, multiply } from './many.ts';
import { goOffline, goOnline } from './network.ts';
import { reads } from './reads.ts';
import { shortLived } from './short-lived.ts';
import { end, type Outcome, type Settings, type Write, Writer } from './writer.ts';

let writer: Writer;
const results = new Map<string, Promise<string>>();

const page = {
  begin(settings: Settings): void {
    writer = new Writer(settings);
  },
  close: (): Promise<void> => writer.close(),
  /** Later, so that the call of the test gets its result first. */
  leave: (): void => void setTimeout(() => location.replace('about:blank')),

  /** Goes elsewhere while the database is read, and could be shown again. */
  readAndGo(url: string): void {
    const readOn = async (): Promise<void> => {
      for (;;) await writer.box.counts();
    };
    for (let readers = 0; readers < 4; readers++) void readOn();
    setTimeout(() => location.assign(url), 100);
  },

  goOnline,
  goOffline,
  setClock,

  give: (write: Write): Promise<Outcome> => writer.give(write),
  giveAll: (writes: readonly Write[]): Promise<Outcome[]> =>
    Promise.all(writes.map((write) => writer.give(write))),
  async giveInTurn(writes: readonly Write[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const write of writes) outcomes.push(await writer.give(write));
    return outcomes;
  },
  settled: (ids: readonly string[]): Promise<Record<string, string>> => writer.settled(ids),
  news: () => writer.news,

  calls: (): Promise<Record<string, string>> => writer.calls(),
  entries: async (state: 'waiting' | 'dead-letter' = 'waiting') =>
    (await writer.box.entries({ state })).map(({ id, reason }) => ({ id, why: reason?.code })),
  counts: () => writer.box.counts(),
  flush: () => writer.box.flush(),
  removeEntry: (id: string): Promise<string> => end(writer.box.remove(id)),
  async result(id: string): Promise<string> {
    let text = '';
    const read = writer.box.result(id).then(async (response) => {
      text = `${response.status} ${await response.text()}`;
    });
    const how = await end(read);
    return how === 'ok' ? text : how;
  },
  /** Starts a result; `resultOf` awaits it. */
  askFor: (id: string): void => void results.set(id, page.result(id)),
  resultOf: (id: string): Promise<string> | undefined => results.get(id),

  giveLarge: (id: string | undefined, kind: Kind, size: number): Promise<Outcome> =>
    writer.give({ path: '/upload', body: bodies[kind](size), ...(id !== undefined && { id }) }),
  /** The response that the origin has to give. */
  async expectedOf(id: string, kind: Kind, size: number): Promise<string> {
    const request = await writer.box.request(id);
    return expected(kind, size, request?.headers.get('content-type') ?? '');
  },

  multiply,
  /** The result of a listing and the reads for it. @param after The nth of the multiplied entries. */
  async listing(after: number | null, limit = 50) {
    const [first] = await writer.box.entries({ limit: 1 });
    const key = first && typeof after === 'number' ? { after: keyOf(first.key, after) } : {};
    return measured(async () => {
      const entries = await writer.box.entries({ ...key, limit });
      return { length: entries.length, first: entries[0]?.idempotencyKey };
    });
  },
  countsMeasured: () => measured(() => writer.box.counts()),
  lanesMeasured: () => measured(() => writer.box.lanes()),
  beginMeasured: (settings: Settings) =>
    measured(async () => {
      page.begin(settings);
      await writer.box.flush();
    }),
  /** Sends so many and no more. */
  drainMeasured: (wanted: number) =>
    measured(async () => {
      const abort = new AbortController();
      let delivered = 0;
      const enough = new Promise<void>((resolve) => {
        writer.box.subscribe(({ type }) => {
          if (type !== 'delivered' || ++delivered < wanted) return;
          goOffline();
          abort.abort();
          resolve();
        });
      });
      goOnline();
      await enough;
      return delivered;
    }),

  /** How long a page that has just been loaded takes to accept a write, in ms. */
  async howLong(settings: Settings, write: Write): Promise<number> {
    const { window, end } = await shortLived();
    const { page } = window as unknown as { page: Page };
    page.goOffline();
    page.begin(settings);
    const since = performance.now();
    await page.give(write);
    end();
    return performance.now() - since;
  },
  /**
   * Queues a write in a page that ends after so many ms.
   *
   * @returns whether that page saw that it was accepted.
   */
  async giveInShortLived(settings: Settings, write: Write, life: number): Promise<boolean> {
    const { window, end } = await shortLived();
    const { page } = window as unknown as { page: Page };
    page.goOffline();
    page.begin(settings);
    let isAccepted = false;
    void page.give(write).then((outcome) => {
      isAccepted = 'queued' in outcome && outcome.queued;
    });
    const until = performance.now() + life;
    // Timers are too coarse for a few ms.
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve));
    end();
    return isAccepted;
  },

  /** As a browser that clears all stored data of a site. */
  clearSiteData: async (): Promise<void> => void (await fetch('/forget')),
  fillAll,
  fillDisk,
  holdOpen,
  letGo,
  makeRoom,
  records,
  remove,
};

async function measured<T>(work: () => Promise<T>) {
  const since = performance.now();
  reads.begin();
  const result = await work();
  return { result, ...reads.end(), ms: performance.now() - since };
}

export type Page = typeof page;

Object.assign(globalThis, { page });
