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
  /** Seconds before, during and after the outage. */
  readonly before: number;
  readonly gone: number;
  readonly after: number;
  readonly seed: number;
}

export interface Report {
  /** Requests on the wire for each call made while the origin was gone. */
  readonly perCall: number;
  /** The busiest second after it came back, over the capacity. */
  readonly peak: number;
  /** Seconds until 99 % of a second's calls succeed again and stay so; `Infinity` for never. */
  readonly recovery: number;
  /** Share of all calls, over the whole time, that succeeded. */
  readonly succeeded: number;
}

const URL_ = 'https://api.example.com/';

/** Runs a whole outage through the real pipeline, in virtual time. The same seed gives the same report. */
export async function outage(settings: Outage, policiesOf: () => readonly Policy[]): Promise<Report> {
  const { clients, rate, load, before, gone, after, seed } = settings;
  const clock = virtualClock();
  const random = seeded(seed);
  const origin = boundedOrigin(clock, (clients * rate) / load, before, before + gone);
  const outcomes: { at: number; ok: boolean }[] = [];
  const calls: Promise<void>[] = [];
  const online = switchedConnectivity();
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
      if (clock.ticks() + wait < (before + gone + after) * 1000)
        clock.after(wait, call, { background: true });
    };
    next();
  }
  await clock.advance((before + gone + after + 60) * 1000);
  await Promise.all(calls);
  return summary(settings, outcomes, origin.arrivals);
}

function boundedOrigin(clock: VirtualClock, capacity: number, from: number, to: number) {
  const service = 1000 / capacity;
  const arrivals: number[] = [];
  let free = 0;
  return {
    /** Seconds at which requests arrived. */
    arrivals,
    fetch: (): Promise<Response> => {
      const now = clock.ticks();
      arrivals.push(now / 1000);
      if (now >= from * 1000 && now < to * 1000) return Promise.reject(new TypeError('Failed to fetch'));
      const begins = Math.max(now, free);
      // A queue of two seconds; beyond it the origin answers at once that it is full.
      if (begins - now > 2_000) return Promise.resolve(new Response(null, { status: 503 }));
      free = begins + service;
      return new Promise((resolve) => {
        clock.after(free - now, () => resolve(new Response(null, { status: 204 })));
      });
    },
  };
}

function summary(
  { clients, rate, load, before, gone, after }: Outage,
  outcomes: readonly { at: number; ok: boolean }[],
  arrivals: readonly number[],
): Report {
  const back = before + gone;
  const within = (at: number, from: number, to: number): boolean => at >= from && at < to;
  const during = outcomes.filter(({ at }) => within(at, before, back)).length;
  const sent = arrivals.filter((at) => within(at, before, back)).length;
  const seconds = Array.from({ length: after }, (_, second) => back + second);
  const busiest = Math.max(
    ...seconds.map((from) => arrivals.filter((at) => within(at, from, from + 1)).length),
  );
  const well = seconds.map((from) => {
    const calls = outcomes.filter(({ at }) => within(at, from, from + 1));
    return calls.filter(({ ok }) => ok).length >= 0.99 * calls.length;
  });
  const lastBad = well.lastIndexOf(false);
  return {
    perCall: sent / during,
    peak: busiest / ((clients * rate) / load),
    recovery: lastBad === after - 1 ? Infinity : lastBad + 1,
    succeeded: outcomes.filter(({ ok }) => ok).length / outcomes.length,
  };
}
