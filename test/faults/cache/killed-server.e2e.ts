import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Origin, startOrigin } from '../../playground/processes.ts';
import { misbehave, type Place, traffic } from '../matrix/server.ts';
import { type Reader, readers } from './modes/readers.ts';
import { type Mode, modes } from './modes/table.ts';
import { publish } from './modes/version.ts';

/** The number of deaths of a server that comes back each time. */
const DEATHS = 5;

const freshness = { fresh: 'max-age=3600', stale: 'max-age=0' };
type Kind = keyof typeof freshness;

describe.each(readers)('in $name', ({ isMissing, start }) => {
  let origin: Origin;
  let reader: Reader;
  let place: Place;

  beforeEach(async () => {
    origin = await startOrigin();
    reader = await start();
    const at = (port: number): string => `http://127.0.0.1:${port}`;
    place = { url: at(origin.port), control: at(origin.controlPort) };
  });
  afterEach(async () => {
    await reader?.close();
    await origin?.close();
  });

  const pathOf = (mode: Mode, kind: Kind): string => `/${kind}/${mode}/orders/1`;
  const urlOf = (mode: Mode, kind: Kind): string =>
    `${place.url}${pathOf(mode, kind)}?${new URLSearchParams({ header: `Cache-Control:${freshness[kind]}` })}`;

  const publishAll = async (version: number): Promise<void> => {
    for (const mode of modes) {
      await publish(place.url + pathOf(mode, 'fresh'), version);
      await publish(place.url + pathOf(mode, 'stale'), version);
    }
  };

  const read = (mode: Mode, kind: Kind, cache?: RequestCache) =>
    reader.read(urlOf(mode, kind), mode, 'up', cache);

  /** One after the other, in all modes. */
  const readAll = async (kind: Kind, cache?: RequestCache) => {
    const readings: Partial<Record<Mode, string>> = {};
    for (const mode of modes) readings[mode] = (await read(mode, kind, cache)).words;
    return readings;
  };

  const inAllModes = (words: string, others: Partial<Record<Mode, unknown>> = {}) => ({
    ...Object.fromEntries(modes.map((mode) => [mode, words])),
    ...others,
  });

  /**
   * The browser's own cache may have a fresh response, too, and responds for the origin unless it
   * has to revalidate.
   */
  const freshIn = (version: number) =>
    inAllModes(`200 cache ${version}`, {
      ...(reader.validators === 'platform' && {
        'network-first': expect.stringMatching(`200 (cache|network) ${version}`),
        respondAfter: expect.stringMatching(`200 (cache|network) ${version}`),
      }),
    });

  test.skipIf(isMissing)(
    'cached responses are there while the server is dead, also after a reload',
    async () => {
      await publishAll(1);
      expect(await readAll('fresh')).toEqual(inAllModes('200 network 1'));
      expect(await readAll('stale')).toEqual(inAllModes('200 network 1'));

      await origin.kill();
      for (const _ of ['before', 'after']) {
        expect(await readAll('fresh')).toEqual(freshIn(1));
        expect(await readAll('stale')).toEqual(inAllModes('200 stale 1'));
        for (const mode of modes)
          expect((await reader.read(`${place.url}/never/orders/1`, mode, 'up')).words).toBe(
            'TypeError network',
          );
        await reader.reload();
      }

      await origin.start();
      await publishAll(2);
      const behind = { 'stale-while-revalidate': '200 stale 1' };
      expect(await readAll('stale')).toEqual(inAllModes('200 network 2', behind));
      expect((await read('stale-while-revalidate', 'stale')).words).toBe('200 stale 2');
      await readAll('fresh', 'no-cache');
      await origin.kill();
      expect(await readAll('fresh')).toEqual(freshIn(2));
      expect(await readAll('stale')).toEqual(inAllModes('200 stale 2'));
    },
  );

  test.skipIf(isMissing)(
    'a fresh cached response costs no request, whether the server is alive or dead',
    async () => {
      const thrifty = ['cache-first', 'stale-while-revalidate'] as const;
      const count = (mode: Mode) => traffic(place, pathOf(mode, 'fresh')).then(({ count }) => count);
      await publishAll(1);
      for (const mode of thrifty) {
        await read(mode, 'fresh');
        // Publishing was one as well.
        expect(await count(mode)).toBe(2);
        for (let time = 0; time < 3; time++) expect((await read(mode, 'fresh')).words).toBe('200 cache 1');
        expect(await count(mode)).toBe(2);
      }
      await origin.kill();
      await origin.start();
      for (const mode of thrifty) {
        await reader.reload();
        expect((await read(mode, 'fresh')).words).toBe('200 cache 1');
        expect(await count(mode)).toBe(0);
      }
    },
  );

  test.skipIf(isMissing)(
    'a body whose server dies in the middle leaves the cached response from before',
    async () => {
      await publishAll(1);
      await readAll('stale');
      for (const mode of modes) {
        await publish(place.url + pathOf(mode, 'stale'), 2);
        await misbehave(place, pathOf(mode, 'stale'), { stall: 2_000 }, undefined, 'GET');
        const reading = read(mode, 'stale');
        await expect.poll(() => traffic(place, pathOf(mode, 'stale'))).toMatchObject({ open: 1 });
        await origin.kill();
        const isBehind = mode === 'stale-while-revalidate';
        // Its headers may not have come yet.
        const words = isBehind ? /^200 stale 1$/ : /^200 stale 1$|^200 network, then TypeError network$/;
        expect((await reading).words).toMatch(words);
        expect((await read(mode, 'stale')).words).toBe('200 stale 1');
        await origin.start();
      }
      await readAll('stale');
      for (const mode of modes) expect(await read(mode, 'stale')).toMatchObject({ version: 2 });
    },
  );

  test.skipIf(isMissing)(
    'a server that dies again and again never makes a reader go back to an older version',
    async () => {
      const latest = Object.fromEntries(modes.map((mode) => [mode, { version: 0, reads: 0 }]));
      const wrong: string[] = [];
      let isOver = false;
      const readOn = async (mode: Mode): Promise<void> => {
        while (!isOver) {
          const before = latest[mode] as { version: number; reads: number };
          const { words, version } = await read(mode, 'stale');
          const isBroken = words.includes(', then ');
          if (before.version > 0 && !isBroken && version < before.version)
            wrong.push(`${mode}, after version ${before.version}: ${words}`);
          latest[mode] = { version: Math.max(version, before.version), reads: before.reads + 1 };
        }
      };
      const versions = () => modes.map((mode) => latest[mode]?.version);
      const reads = () => Math.min(...modes.map((mode) => latest[mode]?.reads ?? 0));

      const reading = Promise.all(modes.map(readOn));
      for (let death = 1; death <= DEATHS; death++) {
        await publishAll(death);
        await expect.poll(versions, { timeout: 60_000, interval: 5 }).toEqual(modes.map(() => death));
        await origin.kill();
        const enough = reads() + 3;
        await expect.poll(reads, { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(enough);
        await origin.start();
      }
      isOver = true;
      await reading;
      expect(wrong).toEqual([]);
    },
  );
});
