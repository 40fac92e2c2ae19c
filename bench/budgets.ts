/** What the library has promised to cost at most. */
export interface Budget {
  readonly what: string;
  readonly most: number;
  readonly unit: 'kB' | '×' | 'KiB' | 'bytes' | '';
  /** More than `most`, and not yet less: `--check` fails only beyond this. */
  readonly reached?: number;
}

/** What it has promised to do at least. */
export interface Promised {
  readonly what: string;
  readonly least: number;
  readonly unit: '×';
}

const atLeast = (what: string, least: number): Promised => ({ what, least, unit: '×' });

const budget = (what: string, most: number, unit: Budget['unit'], reached?: number): Budget => ({
  what,
  most,
  unit,
  ...(reached !== undefined && { reached }),
});

/** What `--check` fails beyond. */
export const limitOf = ({ most, reached = most }: Budget): number => reached;

export const size = {
  createFetch: budget('createFetch', 10, 'kB', 17.9),
  withCache: budget('createFetch and staleCache', 16, 'kB', 38),
  withOutbox: budget('createFetch and outbox', 18.5, 'kB', 39.1),
  withBoth: budget('createFetch, staleCache and outbox', 24, 'kB', 54.2),
  allWithoutKy: budget('everything without ky', 29, 'kB', 60.6),
  allWithKy: budget('everything with ky', 37, 'kB', 71.6),
  devtools: budget('holdfast/devtools', 30, 'kB'),
} as const;

/** Every measurement is divided by that of something simpler in the same run, because machines differ. */
export const cost = {
  call: budget('one call through createFetch / stub', 1.65, '×'),
  more: budget('the same with bulkhead and dedupe / stub', 1.85, '×'),
  client: budget('one call through createClient / ky', 1.15, '×'),
  failure: budget('503, 503, 200 through createFetch / by hand', 1.8, '×'),
  refusal: budget('a refusal by an open circuit / by hand', 1.5, '×'),
} as const;

/** These do not depend on how busy the machine is. */
export const memory = {
  allocated: budget('allocated by a call through createFetch - stub', 5, 'KiB'),
  more: budget('the same with bulkhead and dedupe - stub', 6.5, 'KiB', 14.5),
  kept: budget('kept by a call that has settled', 0, 'bytes'),
} as const;

/** Of the stale cache in Chromium. Many responses are 10,000 (1,000 where it is quick), few are 100. */
export const cache = {
  hit: budget('a hit of 10 kB in the stale cache / raw IndexedDB', 1.3, '×'),
  hot: budget('the same from its memory / Map', 2, '×'),
  opening: budget('opening it with many responses / with few', 1.5, '×'),
  lookup: budget('a hit among many / among few', 1.5, '×'),
  storing: budget('storing and evicting among many / among few', 1.5, '×'),
  traffic: budget('read or written for it among many / among few', 1.2, '×'),
} as const;

/** Of the outbox in Chromium, of writes of 1 kB. Many are 3,000, few are 1,000, and the most are 100,000. */
export const outbox = {
  singly: atLeast('durable enqueues a second, one after the other / raw IndexedDB', 0.9),
  burst: atLeast('the same, 100 at once / raw, 100 in a transaction', 0.9),
  writing: budget('read-write transactions to deliver one entry', 2, ''),
  link: budget('few delivered over a link of 20 ms, one lane / the link alone', 1.3, '×'),
  growth: budget('draining one of many / one of few', 1.3, '×'),
  longest: budget('draining one of the first of the most / one of few', 1.3, '×'),
  opening: budget('opening the most, to the first page / raw', 2, '×'),
} as const;
