import type { Hooks } from 'ky';
import type { Clock } from '../../core/contract.ts';
import type { WithCallFacts } from '../../core/normalize-request.ts';
import type { HoldfastFetch } from '../../core/pipeline.ts';
import type { RetryOptions } from '../../policies/retry/options.ts';
import type { TimeoutOptions } from '../../policies/timeout.ts';
import type { FetchOptions } from '../standard.ts';
import type { Report } from './requests.ts';

/** State shared by the calls of all instances of one client. */
export interface Shared {
  readonly pipeline: HoldfastFetch<FetchOptions>;
  readonly clock: Clock;
  /** Writes may be queued: then a response may be the outbox's 202. */
  readonly queues: boolean;
  /** A response may go to another caller than the one that began the call. */
  readonly joins: boolean;
  readonly client: ClientLevel;
}

/** Options of the policies for the pipeline. */
export type PolicyOptions = Record<string, unknown> & WithCallFacts;

/** Options of an instance or a call that ky does not carry out. */
export interface ClientSettings {
  readonly policies: PolicyOptions | undefined;
  /** The same for a caller that reads the whole body; made when it is needed. */
  whole?: PolicyOptions;
  readonly limits: TimeoutOptions;
  /** `totalTimeout`, in ms. */
  readonly total: number | undefined;
  /** A `timeout` with nothing else in it, in ms: as in ky it bounds the body again in the shortcuts. */
  readonly bodyTime: number | undefined;
  readonly onUploadProgress?: Report;
  /** An error status may become an `HTTPError`, for which ky reads the body. */
  readonly throwsErrors: boolean;
  /** Those of the application. */
  readonly hooks: Partial<Hooks>;
  readonly shouldRetry: RetryOptions['shouldRetry'];
  /** The pipeline's retries run hooks of the application. */
  readonly repeatsWithHooks: boolean;
  /** They give a body. */
  readonly givesBody: boolean;
  /** The signal that ky makes may abort. */
  readonly hasSignal: boolean;
}

/** The options of `createClient` for retries and time limits: the pipeline has them. */
export interface ClientLevel {
  readonly retry: RetryOptions;
  readonly limits: TimeoutOptions;
  readonly bodyTime: number | undefined;
}

/** The options that ky hands to the fetch; in `holdfast` at first the call. */
export interface PassageInit {
  holdfast?: unknown;
  signal?: null;
}
