import { seeded, type VirtualClock } from '../../src/testing.ts';

/** A fault of the origin. It lasts for the row's `fault` seconds. */
export interface Fault {
  /** `refuse` resets at once, `hang` never responds, a number is the status of an immediate response. */
  readonly kind: 'refuse' | 'hang' | 500 | 503;
  /** Share of the requests that it hits, from 0 to 1; each independently of the others. */
  readonly share: number;
  /** The only path that it hits. Default: all. */
  readonly path?: string;
}

/** What the origin needs to know; a `Row` has more. */
export interface OriginSettings {
  readonly clients: number;
  /** Calls per second of each client. */
  readonly rate: number;
  /** Load over capacity when all is well. */
  readonly load: number;
  readonly kind: Fault;
  /** Seconds before the fault. */
  readonly before: number;
  /** Seconds that the fault lasts. */
  readonly fault: number;
  readonly seed: number;
}

/** A call of a client, as the simulation records it. */
export interface SimulatedCall {
  /** Time of the call in seconds. */
  readonly at: number;
  readonly path: string;
  /** Attempts of this call that reached the transport. */
  requests: number;
  /** Absent until the call settles. */
  ok?: boolean;
}

/** Carries the call's record through the pipeline, which hands an unknown init to the transport. */
export interface SimulatedInit extends RequestInit {
  readonly simulated: SimulatedCall;
}

export interface Origin {
  readonly fetch: (request: Request, init: RequestInit) => Promise<Response>;
  /** Seconds at which requests arrived, probes included. */
  readonly arrivals: number[];
  /** Work on requests that arrived after the fault; in flaky rows, where it never ends, on all. */
  readonly work: {
    done: number;
    /** Requests of clients that had given up. */
    wasted: number;
    /** Longest queue, in seconds of work. */
    queue: number;
  };
}

/** Seconds of work that the origin queues; beyond it, it responds 503 at once. */
const QUEUE = 15;

/** Requests per second that the origin can serve. */
export const capacityOf = ({ clients, rate, load }: OriginSettings): number => (clients * rate) / load;

/** An origin with a bounded queue. A request that the fault hits costs it no work. */
export function boundedOrigin(clock: VirtualClock, settings: OriginSettings): Origin {
  const { kind: fault, before, seed } = settings;
  const service = 1000 / capacityOf(settings);
  const from = before * 1000;
  const to = from + settings.fault * 1000;
  // Its own chance, so that every fleet makes the same calls.
  const random = seeded(seed + 1_000_003);
  const arrivals: number[] = [];
  const work = { done: 0, wasted: 0, queue: 0 };
  let free = 0;

  const isHit = (request: Request, now: number): boolean =>
    now >= from &&
    now < to &&
    (!fault.path || new URL(request.url).pathname === fault.path) &&
    (fault.share >= 1 || random() < fault.share);

  const fetch = (request: Request, init: RequestInit): Promise<Response> => {
    const { signal, simulated } = init as Partial<SimulatedInit>;
    const now = clock.ticks();
    arrivals.push(now / 1000);
    // A probe that the breaker makes by itself belongs to no call.
    if (simulated) simulated.requests++;
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (isHit(request, now)) {
        if (fault.kind === 'refuse') reject(new TypeError('Failed to fetch'));
        else if (fault.kind !== 'hang') resolve(new Response(null, { status: fault.kind }));
        return;
      }
      const queued = Math.max(0, free - now);
      const counts = now >= to || fault.share < 1;
      if (counts) work.queue = Math.max(work.queue, queued / 1000);
      if (queued > QUEUE * 1000) return resolve(new Response(null, { status: 503 }));
      free = now + queued + service;
      clock.after(
        queued + service,
        () => {
          if (counts) work.done++;
          // The origin cannot see that the client gave up.
          if (counts && signal?.aborted) work.wasted++;
          resolve(new Response(null, { status: 204 }));
        },
        { background: true },
      );
    });
  };
  return { fetch, arrivals, work };
}
