import type { Attempt } from '../primitives/failure.ts';
import type { HoldfastEvent } from './events.ts';
import type { Host } from './host.ts';
import type { Strategy } from './outcome.ts';

/** Answers a request. The innermost handler is the transport; every policy wraps one and is one. */
export type Handler = (request: Request, call: Call) => Promise<Response>;

/** Where the outcome of what is inside goes. */
export interface Receiver {
  resolve(response: Response): void;
  reject(error: unknown): void;
}

/** One use of the fetch by the application. Derived (`{ ...call, attempt }`), never written to. */
export interface Call {
  /** Unique in its pipeline; the request id in every event and error. */
  readonly id: string;
  /** `new URL(url).origin`: the unit that fails. */
  readonly origin: string;
  /** The user of the call. Cache, outbox and dedupe never cross it. Empty if the application names none. */
  readonly partition: string;
  /** The application names partitions, and no user is signed in: nothing is cached, queued or shared. */
  readonly isSignedOut?: boolean;
  /** `userChanges()` of its pipeline when the call was made. */
  readonly userChanges: number;
  /** From 1. */
  readonly attempt: number;
  /** A repetition that has a response in hand, if an unwelcome one. */
  readonly hasResponse?: boolean;
  /** Reads the whole body into the attempt: the call uses a body shortcut (`.json()`). `retry: { until: 'headers' }` wins. */
  readonly wantsBody?: (run: never, bodyLimit: number) => Promise<void>;
  /** In place of the pipeline's transport. It may put on credentials that no policy knows of. */
  readonly transport?: (request: Request, init: RequestInit) => Promise<Response>;
  /** Gives the request as it goes over the wire; asked for each attempt. */
  readonly toWire?: (request: Request) => Request;
  /** How many attempts may follow this one. Absent: unknown, as for a first attempt that may be repeated. */
  readonly attemptsLeft?: number;
  /** The only truth about aborting: neither `request.signal` nor `init.signal` is read after entry. */
  readonly signal: AbortSignal;
  /** When the call's total time is up, on `host.clock.ticks()`. Absent: never. */
  readonly deadline?: number;
  /** Settled on entry: pipeline, then route, then call; a `false` from `configure()` wins over all. */
  readonly options: CallOptions;
  /** Those that the call itself gives: a later version of the application may have other routes. */
  readonly own?: CallOptions;
  /** What the runtime's own fetch understands and a `Request` does not keep: `cf`, `dispatcher`, `priority`, `next`. */
  readonly init: Readonly<Record<string, unknown>>;
  readonly host: Host;
  /** What went over the wire so far, shared by everything derived from this call. The transport writes it. */
  readonly attempts: Attempt[];
  /** Asked right before each request goes out, after every wait: throws what forbids it. */
  readonly beforeSend?: () => void;
  /** The request must not be repeated for its `Idempotency-Key`: the outbox sends the entry at most once. */
  readonly hasGeneratedKey?: boolean;
  /** Asked by a policy that let the call wait: throws the refusal of one above that would not let it in any more. */
  readonly recheckCircuit?: () => void;
  /**
   * What the application wants done about an outcome (a response or an error), where it says so by category. Absent where
   * it leaves everything to the policies.
   */
  readonly strategy?: (outcome: unknown) => Strategy | undefined;
  /**
   * Whether a cached response can take the place of the origin's response. If so, no policy further in waits for an origin
   * that is down: it rejects at once. Asked only then.
   */
  readonly standsIn?: () => Promise<boolean>;
  /** Absent if there is no listener, so that no event is built in vain. */
  readonly emit?: ((event: HoldfastEvent) => void) | undefined;
  /** Registers work that outlives the response. */
  waitUntil(work: Promise<unknown>): void;
}

/** The options of one call, by policy: plain data, or `false` for off. The public, typed form is `FetchOptions`. */
export type CallOptions = { readonly [policy: string]: unknown };

/** Data of no user. */
export const PUBLIC = 'public';

/** The requests on which a policy puts credentials. */
export interface Credentials {
  readonly origins: readonly string[];
  /** The next request may be another user's, and only a partition tells them apart. */
  readonly vary: boolean;
}

/** Where a policy lives when there is no call: draining, revalidating, probing. */
export interface PipelineContext {
  /** Stored with outbox entries, so that a reload finds its pipeline again. */
  readonly name: string;
  /** What relative URLs are resolved against; empty without one. */
  readonly baseUrl: string;
  readonly host: Host;
  /** Aborts on `close()`. Not to be asked for while the pipeline is made: a Worker that starts may make none. */
  readonly signal: AbortSignal;
  /** Calls `listener` on `close()`; may be used while the pipeline is made. */
  onClose(listener: () => void): void;
  /** The user that is signed in now. @throws {ConfigurationError} if no user is signed in. */
  partition(): string;
  /** The partition is a constant, and not what a function gives. */
  readonly isPartitionConstant: boolean;
  /** How often a call or `partition()` has met another user than the one before. */
  userChanges(): number;
  /** The credentials that policies of the pipeline put on requests of a call with these options. */
  credentials(options: CallOptions): readonly Credentials[];
  /** How long an origin wants no call, by all fields that may say so. Set by `rateLimit()`, which brings the parser. */
  quotaReset?: (headers: Headers, now: number, isLimited?: boolean) => number | undefined;
  /** A write to an origin has succeeded: no read joins one that began before. Set by `dedupe`, for writes that bypass it. */
  outdates?: (origin: string) => void;
  /** Emits what happened outside any call. */
  readonly emit: (event: HoldfastEvent) => void;
  /** A call that no caller waits for. It ends with `signal`, by default with the pipeline. */
  background(of: BackgroundCall): Call;
}

export interface BackgroundCall {
  /** For the routes; absent: `options` are settled already, or none apply. */
  readonly url?: string;
  readonly origin: string;
  readonly partition: string;
  readonly options?: CallOptions;
  readonly signal?: AbortSignal;
}
