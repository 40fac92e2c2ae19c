import { createResponse, type ResponseMetadata } from '../../src/core/body/response.ts';
import type { PipelineContext, Policy } from '../../src/core/contract.ts';
import type { HoldfastFetch, PipelineOptions } from '../../src/core/pipeline.ts';
import {
  macrotask,
  seeded,
  switchedConnectivity,
  type VirtualClock,
  virtualClock,
} from '../../src/testing.ts';
import { countListeners } from '../support/count-listeners.ts';
import { leanPipeline } from '../support/lean-pipeline.ts';

export const ONE = 'https://one.example';
export const TWO = 'https://two.example';

/** The reply of the origin to one request. Without a name: 200 with a body of two chunks. */
export interface Reply {
  readonly is?: 'answer' | 'hang' | 'refuse';
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** On the clock, in ms. */
  readonly after?: number;
  /** Of the body; `null` for a response without one. */
  readonly chunks?: readonly string[] | null;
  /** Between two chunks, in ms. */
  readonly gap?: number;
  /** The end of the body after its chunks. Default `'well'`. */
  readonly ends?: 'well' | 'stalled' | 'broken';
  /** It responds in spite of an abort. */
  readonly deaf?: boolean;
  readonly facts?: Partial<ResponseMetadata>;
}

export type Origin = (request: Request, count: number) => Reply;

/** One call, as an application makes it. */
export interface CallPlan {
  readonly url?: string;
  readonly init?: Omit<RequestInit, 'signal'>;
  /** The time of its abort, in ms of the clock; `'before'` it is made, `'at once'` after. */
  readonly abort?: number | 'before' | 'at once';
  readonly reason?: unknown;
  /** The use of the response. Default `'text'`. */
  readonly reads?: 'text' | 'reader' | 'clone' | 'half a clone' | 'cancel' | 'part' | 'nothing';
  /** The signal comes in a `Request`; `'none'` there is none. */
  readonly bare?: boolean | 'none';
}

/** The outcome of a call, and of the reading of its body. */
export interface Ended {
  readonly response?: Response;
  readonly text?: string;
  readonly error?: unknown;
  readonly failed: boolean;
  /** Its own signal, as it was when the call ended. */
  readonly aborted: boolean;
  readonly reason: unknown;
  /** The ms from the abort to the end of the call. */
  readonly late: number;
}

export interface World {
  readonly fetch: HoldfastFetch;
  readonly clock: VirtualClock;
  readonly online: ReturnType<typeof switchedConnectivity>;
  /** The requests that the origin has received. */
  readonly requests: Request[];
  /** Their signals. */
  readonly wires: AbortSignal[];
  /** Chunks that were read from all bodies. */
  readonly pulled: () => number;
  /** Requests without a response and without an abort. */
  readonly underWay: () => number;
  /** Settles when the call is over and its body is read or cancelled. @throws if that never happens. */
  call(plan?: CallPlan): Promise<Ended>;
  /** @throws if `work` does not settle in an hour of the clock. */
  settled<T>(work: Promise<T>): Promise<T>;
  /** The resources beyond those before the first call; those without a difference are left out. */
  left(): Promise<Partial<Left>>;
  /** All resources. */
  there(): Left;
}

/** The resources that calls can leave behind. */
interface Left {
  timers: number;
  /** On the signals of callers. */
  listeners: number;
  /** On the pipeline's own signal. */
  followers: number;
  /** To the host's connectivity. */
  subscriptions: number;
  /** Neither read to their end nor cancelled. */
  bodies: number;
}

const names = ['timers', 'listeners', 'followers', 'subscriptions', 'bodies'] as const;

const HOUR = 3_600_000;

let worlds = 0;

const open: HoldfastFetch[] = [];

/** Worlds end with their test: caches of one page would go on broadcasting every write. */
export function endAll(): void {
  for (const fetch of open.splice(0)) void fetch.close();
}

/** Policies around an origin that counts its open responses, in virtual time. */
export async function world(
  policies: readonly Policy[],
  origin: Origin = () => ({}),
  { seed = 1, canShareIO = true, fetch: given, clock: kind, ...options }: PipelineOptions & Surroundings = {},
): Promise<World> {
  const clock = virtualClock(kind);
  const { online, subscriptions } = countedConnectivity();
  const requests: Request[] = [];
  const wires: AbortSignal[] = [];
  const bodies = new Bodies(clock);
  const signals: ReturnType<typeof countListeners>[] = [];
  let underWay = 0;
  let context: PipelineContext | undefined;
  const seeing: Policy = (next, of) => {
    context = of;
    return next;
  };

  const send = async (request: Request, { signal }: RequestInit): Promise<Response> => {
    requests.push(request);
    if (signal) wires.push(signal);
    const reply = origin(request, requests.length);
    const { is = 'answer', after = 0, deaf = false } = reply;
    if (!deaf) signal?.throwIfAborted();
    underWay++;
    const ended = (): void => void underWay--;
    const responded = new Promise<Response>((resolve, reject) => {
      if (!deaf) signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (is === 'refuse') reject(new TypeError('Failed to fetch'));
      if (is !== 'answer') return;
      const respond = (): void => {
        if (deaf || !signal?.aborted) resolve(bodies.respond(request, reply));
      };
      if (after === 0) return respond();
      const cancel = clock.after(after, respond);
      if (!deaf) signal?.addEventListener('abort', cancel, { once: true });
    });
    responded.then(ended, ended);
    return responded;
  };

  const fetch = leanPipeline(
    Object.freeze([seeing, ...policies]),
    Object.freeze({
      name: `world ${++worlds}`,
      partition: 'public',
      fetch: given ?? send,
      host: Object.freeze({ clock, online, canShareIO, random: seeded(seed) }),
      ...options,
    }),
  );
  open.push(fetch);
  // Resources of the pipeline itself: an outbox looks after its entries now and then.
  await clock.advance(0);

  const there = (): Left => ({
    timers: clock.pending,
    listeners: signals.reduce((sum, { listeners }) => sum + listeners(), 0),
    followers: followersOf((context as PipelineContext).signal),
    subscriptions: subscriptions(),
    bodies: bodies.open.size,
  });
  const before = there();

  const settled = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    let cancel = (): void => {};
    const guard = new Promise<never>((_, reject) => {
      cancel = clock.after(HOUR, async () => {
        // A browser may be busy.
        for (let turn = 0; turn < 20 && !over; turn++) await macrotask();
        reject(new Error('never settles'));
      });
    });
    try {
      return await Promise.race([work, guard]);
    } finally {
      over = true;
      cancel();
    }
  };

  const call = async (plan: CallPlan = {}): Promise<Ended> => {
    const { url = `${ONE}/orders`, init = {}, abort, reads = 'text', bare = false } = plan;
    const controller = new AbortController();
    let left = 0;
    const leave = (): void => {
      left = clock.ticks();
      controller.abort(plan.reason);
    };
    if (abort === 'before') leave();
    const request = bare === true ? new Request(url, { ...init, signal: controller.signal }) : undefined;
    const signal = request?.signal ?? controller.signal;
    signals.push(countListeners(signal));
    const cancel = typeof abort === 'number' ? clock.after(abort, leave) : () => {};
    const given = bare === 'none' ? init : { ...init, signal };
    const response = request ? fetch(request) : fetch(url, given);
    if (abort === 'at once') leave();
    const done = response.then(async (response) => ({ response, text: await read(response, reads) }));
    const now = (): Pick<Ended, 'aborted' | 'reason' | 'late'> => {
      const { aborted, reason } = signal;
      return { aborted, reason, late: aborted ? clock.ticks() - left : 0 };
    };
    try {
      return { ...(await settled(done)), failed: false, ...now() };
    } catch (error) {
      if (error instanceof Error && error.message === 'never settles') throw error;
      return { error, failed: true, ...now() };
    } finally {
      cancel();
    }
  };

  return {
    fetch,
    clock,
    online,
    requests,
    wires,
    pulled: () => bodies.pulled,
    underWay: () => underWay,
    call,
    settled,
    async left() {
      // Losers that are cancelled, and responses that are stored.
      await clock.advance(1_000);
      const more = () => names.map((name) => [name, there()[name] - before[name]] as const);
      const isLeft = ([, count]: readonly [string, number]): boolean => count !== 0;
      // A request whose caller has a cached response goes on for as long as its own limits let it.
      // One after the other, if the policies further out repeat it.
      for (let round = 0; round < 3 && more().some(isLeft); round++) await clock.advance(30_000);
      return Object.fromEntries(more().filter(isLeft));
    },
    there,
  };
}

interface Surroundings {
  /** With `quiet`, time stands still while the platform reads a body by itself. */
  readonly clock?: Parameters<typeof virtualClock>[0];
  readonly seed?: number;
  readonly canShareIO?: boolean;
}

async function read(response: Response, how: NonNullable<CallPlan['reads']>): Promise<string> {
  if (how === 'nothing' || response.body === null) return '';
  if (how === 'text') return response.text();
  if (how === 'clone') {
    const texts = await Promise.all([response.clone().text(), response.text()]);
    if (texts[0] !== texts[1]) throw new Error(`a clone reads '${texts[0]}', its original '${texts[1]}'`);
    return texts[1];
  }
  if (how === 'half a clone') {
    const reader = response.clone().body?.getReader();
    const waiting = reader?.read().then(() => reader.read());
    const [text] = await Promise.all([response.text(), macrotask().then(() => reader?.cancel()), waiting]);
    return text;
  }
  const reader = response.body.getReader();
  let text = '';
  if (how !== 'cancel')
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text;
      text += new TextDecoder().decode(value);
      if (how === 'part') break;
    }
  await reader.cancel();
  return text;
}

/** The responses of an origin, which record whether their bodies were read or cancelled. */
class Bodies {
  readonly #clock: VirtualClock;
  readonly open = new Set<object>();
  pulled = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  respond({ method, url }: Request, { status = 200, headers = {}, ...reply }: Reply): Response {
    const facts = { status, statusText: '', url, type: 'basic', redirected: false, ...reply.facts } as const;
    const empty = reply.chunks === null || method === 'HEAD' || [204, 205, 304].includes(status);
    return createResponse(empty ? null : this.#stream(reply), facts, headers);
  }

  #stream({ chunks, gap = 0, ends = 'well' }: Reply): ReadableStream<Uint8Array<ArrayBuffer>> {
    const left = [...(chunks ?? ['one ', 'two'])];
    const body = {};
    let stop = (): void => {};
    this.open.add(body);
    return new ReadableStream(
      {
        pull: (controller) => {
          const chunk = left.shift();
          if (chunk !== undefined) {
            const give = (): void => controller.enqueue(new TextEncoder().encode(chunk));
            if (this.pulled++ === 0 || gap === 0) return give();
            return new Promise<void>((done) => {
              stop = this.#clock.after(gap, () => done(give()));
            });
          }
          if (ends === 'stalled') return new Promise(() => {});
          this.open.delete(body);
          if (ends === 'broken') controller.error(new TypeError('terminated'));
          else controller.close();
          return undefined;
        },
        cancel: () => {
          stop();
          this.open.delete(body);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

function countedConnectivity() {
  const online = switchedConnectivity();
  const { subscribe } = online;
  let subscriptions = 0;
  online.subscribe = (listener) => {
    subscriptions++;
    const end = subscribe(listener);
    return () => {
      subscriptions--;
      end();
    };
  };
  return { online, subscriptions: () => subscriptions };
}

/**
 * The followers of a signal of ours without an event listener (`primitives/abort.ts`); no other
 * count shows a leak there.
 */
function followersOf(signal: AbortSignal): number {
  const list = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === 'holdfast.followers',
  );
  if (!list) throw new Error('this signal has no list of followers');
  type Link = { after: Link };
  const followers = (signal as never)[list] as Link | undefined;
  let count = 0;
  for (let link = followers?.after; link !== followers; link = link?.after) count++;
  return count;
}

/** Freezes options, and their contents; objects of the platform stay as they are. */
export function frozen<T>(value: T): T {
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value ?? 0) === Object.prototype;
  if (!isPlain) return value;
  for (const each of Object.values(value as object)) frozen(each);
  return Object.freeze(value);
}

/**
 * Checks many cases at the same time, each in a world of its own.
 *
 * @throws naming every case that fails.
 */
export async function inAll(cases: (readonly [name: string, check: () => Promise<void>])[]): Promise<void> {
  const broken: string[] = [];
  const run = async ([name, check]: (typeof cases)[0]): Promise<void> => {
    try {
      await check();
    } catch (error) {
      broken.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  };
  await Promise.all(cases.map(run));
  if (broken.length) throw new Error(`${broken.length} of ${cases.length}:\n${broken.sort().join('\n')}`);
}
