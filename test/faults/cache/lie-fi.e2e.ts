/** A real server that accepts connections and responds to nothing, and pages with all defaults. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { memoryStore } from '../../../src/index.ts';
import { sideBySide } from '../side-by-side.ts';
import { type Site, startSite } from '../site.ts';
import { browsers, type Tab } from './browsers.ts';
import { type SilentOrigin, startSilentOrigin } from './lie-fi/silent-origin.ts';
import { type Timed, Visitor } from './lie-fi/visitor.ts';

type Calls = Pick<Visitor, 'keep' | 'read' | 'readAll' | 'write' | 'announced' | 'close'>;

/** The runtime of the visitor. */
interface Place {
  /** A visitor that has just come. */
  visit(): Promise<Tab<Calls>>;
  close(): Promise<void>;
}

const inNode = async (): Promise<Place> => ({
  async visit() {
    const visitor = new Visitor(memoryStore());
    return { call: (name, ...args) => (visitor[name] as (...args: unknown[]) => never)(...args) };
  },
  close: async () => {},
});

const inBrowser = (launch: (typeof browsers)[number]['launch']) => async (): Promise<Place> => {
  const site: Site = await startSite(new URL('lie-fi/page.ts', import.meta.url));
  const browser = await launch();
  return {
    visit: () => browser.open(site.url),
    async close() {
      await browser.close();
      await site.close();
    },
  };
};

const places = [
  { name: 'Node', missing: undefined, start: inNode },
  ...browsers.map(({ name, missing, launch }) => ({ name, missing, start: inBrowser(launch) })),
];

const seconds = (timed: readonly Timed[]): number => Math.max(...timed.map((each) => each.seconds));

const started = new Map<string, Place>();
// All of them first: while a browser starts, the others would be late.
beforeAll(async () => {
  const here = places.filter(({ missing }) => !missing || process.env.CI);
  await Promise.all(here.map(async ({ name, start }) => started.set(name, await start())));
});
afterAll(() => Promise.all([...started.values()].map((place) => place.close())));

sideBySide('in $name', places, ({ name, missing }) => {
  const here = test.skipIf(missing && !process.env.CI);
  let origin: SilentOrigin;
  let other: SilentOrigin;
  let tab: Tab<Calls>;
  let urls: string[];

  const report = (what: string, ...timed: readonly Timed[]): void =>
    console.log(`${name}: ${what}: ${timed.map((each) => `${each.seconds.toFixed(3)} s`).join(', ')}`);

  beforeEach(async () => {
    [origin, other] = await Promise.all([startSilentOrigin(), startSilentOrigin()]);
    urls = Array.from({ length: 30 }, (_, nth) => `${origin.url}/${nth}`);
    tab = await (started.get(name) as Place).visit();
    await tab.call('keep', urls);
    origin.silent = /./;
    origin.seen.length = 0;
  });
  afterEach(async () => {
    await tab?.call('close');
    await Promise.all([origin?.close(), other?.close()]);
  });

  const read = (nth: number): Promise<Timed> => tab.call('read', urls[nth] as string);

  here('the first read has its cached response within 4.5 s, the third and later at once', async () => {
    const timed: Timed[] = [];
    for (let nth = 0; nth < 6; nth++) timed.push(await read(nth));
    report('reads one after the other', ...timed);
    expect(timed.map(({ got }) => got)).toEqual(timed.map(() => 'stale 1'));
    expect(timed[0]?.seconds).toBeLessThan(4.5);
    expect(seconds(timed.slice(2))).toBeLessThan(1);
    expect(origin.seen).toHaveLength(1);
    await tab.call('keep', [`${other.url}/1`]);
  });

  here('a page that reads 30 URLs has them within 4.5 s, and within 1 s from then on', async () => {
    const rounds: Timed[] = [];
    for (let round = 0; round < 3; round++) {
      const timed = await tab.call('readAll', urls);
      expect(timed.map(({ got }) => got)).toEqual(urls.map(() => 'stale 1'));
      rounds.push({ got: '', seconds: seconds(timed) });
    }
    report('30 reads, three times', ...rounds);
    expect(rounds[0]?.seconds).toBeLessThan(4.5);
    expect(seconds(rounds.slice(1))).toBeLessThan(1);
    expect(origin.seen.length).toBeLessThanOrEqual(30);
  });

  here('the next read uses a network that returns in the middle', async ({ expect }) => {
    await read(0);
    origin.version = 2;
    origin.respond();
    await expect.poll(() => tab.call('announced'), { timeout: 5_000 }).toEqual([urls[0]]);
    const after = await read(1);
    report('the network is back', after);
    expect(after.got).toBe('network 2');
    expect(after.seconds).toBeLessThan(1);
  });

  here('a background request finds a network that returns only to new requests', async () => {
    await read(0);
    origin.version = 2;
    origin.silent = undefined;
    const back = performance.now();
    let last = '';
    while (last !== 'network 2' && performance.now() - back < 20_000) {
      const timed = await read(1);
      expect(timed.seconds).toBeLessThan(1);
      last = timed.got;
      await sleep(50);
    }
    const found = (performance.now() - back) / 1000;
    report('the network is back, the old request is lost', { got: last, seconds: found });
    expect(last).toBe('network 2');
    expect(found).toBeLessThan(10);
    expect(origin.seen.length).toBeLessThanOrEqual(3);
  });

  here(
    'the outbox accepts writes within 2 s, and a lane that hangs blocks no other lane',
    async ({ expect }) => {
      origin.silent = /hang/;
      const hanging = `${origin.url}/hang`;
      const first = tab.call('write', hanging, 'hanging');
      await expect.poll(() => origin.seen.length, { timeout: 2_000 }).toBeGreaterThan(0);
      const [queued, second, lane, otherOrigin, reading] = await Promise.all([
        first,
        tab.call('write', hanging, 'hanging'),
        tab.call('write', `${origin.url}/well`, 'well'),
        tab.call('write', `${other.url}/well`, 'elsewhere'),
        read(0),
      ]);
      report('writes to a lane that hangs', queued, second);
      report('another lane, another origin, a read', lane, otherOrigin, reading);
      expect([queued.got, second.got]).toEqual(['queued', 'queued']);
      expect(seconds([queued, second])).toBeLessThan(3);
      expect([lane.got, otherOrigin.got, reading.got]).toEqual(['201', '201', 'network 1']);
      expect(seconds([lane, otherOrigin, reading])).toBeLessThan(1);
    },
  );

  here('ten lanes that hang block no lane of another origin, and no read', async ({ expect }) => {
    const lanes = Array.from({ length: 10 }, (_, nth) => `lane ${nth}`);
    const hanging = lanes.map((lane) => tab.call('write', `${origin.url}/hang`, lane));
    await expect.poll(() => origin.seen.length, { timeout: 2_000 }).toBeGreaterThan(0);
    const otherOrigin = await tab.call('write', `${other.url}/well`, 'elsewhere');
    const queued = await Promise.all(hanging);
    const reading = await read(0);
    report('ten lanes that hang', ...queued);
    report('another origin, a read', otherOrigin, reading);
    expect(queued.map(({ got }) => got)).toEqual(lanes.map(() => 'queued'));
    expect(seconds(queued)).toBeLessThan(3);
    expect(otherOrigin.got).toBe('201');
    expect(otherOrigin.seconds).toBeLessThan(1);
    expect(reading.seconds).toBeLessThan(4.5);
  });
});
