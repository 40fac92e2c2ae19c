import type { Policy } from '../../src/core/contract.ts';
import { pipeline } from '../../src/core/pipeline.ts';
import { seeded, switchedConnectivity, type VirtualClock, virtualClock } from '../../src/testing/index.ts';

/** An origin with a bounded queue that is gone for a while, and a fleet of clients that go on calling it. */
export interface Outage {
  readonly clients: number;
  /** Calls a second of each client. */
  readonly rate: number;
  /** Load over capacity when all is well. */
  readonly load: number;
  /** While it is gone, the origin refuses connections at once, or takes them and never answers. */
  readonly how: 'refusing' | 'hanging';
  /** Seconds before, during and after the outage. */
  readonly before: number;
  readonly gone: number;
  readonly after: number;
  readonly seed: number;
}

export interface Report {
  /** Requests on the wire for each call made while the origin was gone. */
  readonly perCall: number;
  /** The busiest three seconds after it came back, over the capacity. */
  readonly peak: number;
  /** Seconds until 99 % of a second's calls succeed again and stay so; `Infinity` for never. */
  readonly recovery: number;
  /** Share of the origin's work after it came back that was for clients who had given up. */
  readonly wasted: number;
  /** Share of all calls, over the whole time, that succeeded. */
  readonly succeeded: number;
}

const URL_ = 'https://api.example.com/';

/** Work that the origin takes on, in seconds; beyond it, it answers at once that it is full. */
const QUEUE = 15;

/** Runs a whole outage through the real pipeline, in virtual time. The same seed gives the same report. */
export async function outage(settings: Outage, policiesOf: () => readonly Policy[]): Promise<Report> {
  const { clients, rate, before, gone, after, seed } = settings;
  const clock = virtualClock();
  const random = seeded(seed);
  const origin = boundedOrigin(clock, settings);
  const outcomes: Outcome[] = [];
  const calls: Promise<void>[] = [];
  const online = switchedConnectivity();
  const end = (before + gone + after) * 1000;
  for (let client = 0; client < clients; client++) {
    const fetch = pipeline(policiesOf(), {
      fetch: origin.fetch,
      host: { clock, random: seeded(random() * 2 ** 32), online },
    });
    const call = (): void => {
      const at = clock.ticks() / 1000;
      calls.push(
        fetch(URL_).then(
          (response) => void outcomes.push({ at, ok: response.ok }),
          () => void outcomes.push({ at, ok: false }),
        ),
      );
      next();
    };
    // Poisson arrivals: the time between two calls is exponential.
    const next = (): void => {
      const wait = (-Math.log(1 - random()) / rate) * 1000;
      if (clock.ticks() + wait < end) clock.after(wait, call, { background: true });
    };
    next();
  }
  await clock.advance(end + 60_000);
  await Promise.all(calls);
  return summary(settings, outcomes, origin);
}

interface Outcome {
  /** When the call was made, in seconds. */
  readonly at: number;
  readonly ok: boolean;
}

function boundedOrigin(clock: VirtualClock, { clients, rate, load, how, before, gone }: Outage) {
  const service = (1000 * load) / (clients * rate);
  const [from, to] = [before * 1000, (before + gone) * 1000];
  const arrivals: number[] = [];
  const work = { done: 0, wasted: 0 };
  let free = 0;
  return {
    /** Seconds at which requests arrived. */
    arrivals,
    /** Requests that it worked on after it came back. */
    work,
    fetch: (_: Request, { signal }: RequestInit): Promise<Response> => {
      const now = clock.ticks();
      arrivals.push(now / 1000);
      return new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        if (now >= from && now < to) {
          if (how === 'refusing') reject(new TypeError('Failed to fetch'));
          return;
        }
        const begins = Math.max(now, free);
        if (begins - now > QUEUE * 1000) return resolve(new Response(null, { status: 503 }));
        free = begins + service;
        clock.after(
          free - now,
          () => {
            if (now >= to) work.done++;
            // It cannot know that nobody waits any more.
            if (now >= to && signal?.aborted) work.wasted++;
            resolve(new Response(null, { status: 204 }));
          },
          { background: true },
        );
      });
    },
  };
}

function summary(
  { clients, rate, load, before, gone, after }: Outage,
  outcomes: readonly Outcome[],
  { arrivals, work }: ReturnType<typeof boundedOrigin>,
): Report {
  const back = before + gone;
  const bySecond = (times: readonly number[]): number[] => {
    const counts = new Array<number>(back + after + 60).fill(0);
    for (const at of times) counts[Math.floor(at)] = (counts[Math.floor(at)] ?? 0) + 1;
    return counts;
  };
  const sum = (counts: readonly number[], from: number, to: number): number =>
    counts.slice(from, to).reduce((total, count) => total + count, 0);
  const made = bySecond(outcomes.map(({ at }) => at));
  const well = bySecond(outcomes.filter(({ ok }) => ok).map(({ at }) => at));
  const sent = bySecond(arrivals);
  const seconds = Array.from({ length: after }, (_, second) => back + second);
  const lastBad = seconds.findLastIndex((at) => (well[at] ?? 0) < 0.99 * (made[at] ?? 0));
  return {
    perCall: sum(sent, before, back) / sum(made, before, back),
    // Three seconds, because one of a small fleet is mostly chance.
    peak: Math.max(...seconds.map((at) => sum(sent, at, at + 3) / 3)) / ((clients * rate) / load),
    recovery: lastBad === after - 1 ? Infinity : lastBad + 1,
    wasted: work.done === 0 ? 0 : work.wasted / work.done,
    succeeded: outcomes.filter(({ ok }) => ok).length / outcomes.length,
  };
}
