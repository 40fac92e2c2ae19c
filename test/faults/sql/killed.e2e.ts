import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest';
import { chance } from '../../../tools/misbehaving-server/chance.ts';
import type { Entry } from '../../../tools/misbehaving-server/ledger.ts';
import { type MisbehavingServer, startServer } from '../../../tools/misbehaving-server/server.ts';
import { times } from '../../support/extent.ts';
import { sideBySide } from '../side-by-side.ts';
import { newReports, nothingWrong, type Reports, reckon, record } from './orders.ts';
import { type Life, live, serverRuntimes } from './runtimes.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 1);
const KILLS = times({ test: 4, soak: 50 });

/** A process is killed after up to so many more are accepted, and up to so many ms later. */
const ACCEPTED = 20;
const MOMENT = 300;

/** In some of these ways the origin has applied the order, and its response is lost. */
const FAILURES = {
  failRate: 0.35,
  failModes: [503, 429, 'reset', 'unknown', 'unknown', 'resetBody', 503, 'hang'],
};

sideBySide('an outbox over SQLite in $name', serverRuntimes, ({ name, isMissing, command }) => {
  let folder: string;
  let origin: MisbehavingServer;
  const lives = new Set<Life>();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-sql-'));
    origin = await startServer({ controlPort: 0 });
    await control('behaviour', { match: { method: 'POST' }, behaviour: { ...FAILURES, seed: SEED } });
  });
  afterEach(async () => {
    await Promise.all([...lives].map((life) => life.kill()));
    lives.clear();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function control(path: string, body?: object): Promise<unknown> {
    const init = body && { method: 'POST', body: JSON.stringify(body) };
    return (await fetch(`${origin.controlUrl}/control/${path}`, init)).json();
  }

  function start(results: Reports, ...args: string[]): Life {
    const life = live(command(), [origin.url, join(folder, 'orders.db'), ...args], (line) =>
      record(results, line),
    );
    lives.add(life);
    return life;
  }

  async function someAccepted({ expect }: TestContext, results: Reports, kill: number): Promise<void> {
    const enough = results.accepted.size + Math.floor(ACCEPTED * chance(SEED, 'accepted', kill));
    const accepted = (): number => results.accepted.size;
    await expect.poll(accepted, { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(enough);
    await sleep(MOMENT * chance(SEED, 'moment', kill));
  }

  async function delivered(results: Reports, what: string, kills: number, since: number, ...flags: string[]) {
    const killed = (performance.now() - since) / 1000;
    await control('heal', {});
    let dead: string | undefined;
    const last = live(
      command(),
      [origin.url, join(folder, 'orders.db'), 'last', 'last', ...flags],
      (line) => {
        dead = line;
      },
    );
    lives.add(last);
    await last.ended;
    const { wrong, summary } = reckon(results, (await control('ledger')) as Entry[]);
    const all = (performance.now() - since) / 1000;
    console.log(
      `${name}, ${what}, seed ${SEED}: ${kills} kills in ${killed.toFixed(0)} s, all delivered ${(all - killed).toFixed(0)} s later; ${summary}`,
    );
    expect(dead).toBe('dead 0');
    expect(wrong).toEqual(nothingWrong);
    expect(results.accepted.size).toBeGreaterThan(kills * 5);
  }

  test.skipIf(isMissing)(
    `an outbox over SQLite that is killed ${KILLS} times loses no accepted write, applies none twice and none out of order`,
    { timeout: 240_000 + KILLS * 10_000 },
    async (context) => {
      const since = performance.now();
      const results = newReports();
      for (let kill = 0; kill < KILLS; kill++) {
        const life = start(results, `life-${kill}`);
        await someAccepted(context, results, kill);
        await life.kill();
      }
      await delivered(results, 'one process', KILLS, since);
    },
  );

  test.skipIf(isMissing)(
    'an outbox over SQLite in two processes, of which one is killed now and then, delivers each write once and in order',
    { timeout: 240_000 + KILLS * 10_000 },
    async (context) => {
      const since = performance.now();
      const results = newReports();
      const kills = Math.ceil(KILLS / 5);
      const both = [start(results, 'life-a', 'lease'), start(results, 'life-b', 'lease')];
      for (let kill = 0; kill < kills; kill++) {
        await someAccepted(context, results, kill);
        await both[kill % 2]?.kill();
        both[kill % 2] = start(results, `life-${kill}`, 'lease');
      }
      await someAccepted(context, results, kills);
      for (const life of both) await life.kill();
      await delivered(results, 'two processes', kills, since, 'lease');
    },
  );
});
