import type { Attempt } from '../primitives/failure.ts';
import type { Source } from './outcome.ts';

/** What every event of a call tells. */
interface OfCall {
  readonly callId: string;
  readonly origin: string;
}

/** Every decision of the library, emitted to `onEvent`. */
export type HoldfastEvent =
  | (OfCall & {
      readonly type: 'call-started';
      readonly method: string;
      readonly url: string;
      readonly at: number;
      /** What the application calls it (`operation` of the call or its route). */
      readonly operation?: string;
    })
  | (OfCall & {
      readonly type: 'call-ended';
      readonly method: string;
      readonly operation?: string;
      readonly at: number;
      /** Milliseconds to the response or to the failure. */
      readonly duration: number;
      readonly attempts: readonly Attempt[];
      /** Bytes of the request's body, where that is known. */
      readonly sent?: number;
      /** Bytes of the response's body, as its header says. */
      readonly received?: number;
      readonly status?: number;
      readonly source?: Source;
      readonly error?: unknown;
    })
  | (OfCall & { readonly type: 'attempt-started'; readonly attempt: number; readonly at: number })
  | (OfCall & { readonly type: 'attempt-ended' } & Attempt)
  /** The next attempt waits `delay` ms. */
  | (OfCall & {
      readonly type: 'retry';
      readonly attempt: number;
      readonly delay: number;
      readonly cause: unknown;
    })
  /** The origin asked for a wait that does not fit; come back at `retryAt` (wall time in ms). */
  | (OfCall & { readonly type: 'retry-abandoned'; readonly reason: string; readonly retryAt?: number })
  | (OfCall & { readonly type: 'timeout'; readonly limit: 'total' | 'attempt' | 'idle'; readonly ms: number })
  /** A body broke off, was cancelled, or a failure occurred after the response had been handed over. */
  | (OfCall & { readonly type: 'body-broken'; readonly error: unknown })
  /**
   * A circuit has changed: that of an origin, or of a path, whose URL without query is the `origin` here. As it opens,
   * `failures` are the calls in a row that failed, and `lastFailure` how the last one did (`'network'`, `'status 503'`).
   */
  | {
      readonly type: 'circuit';
      readonly origin: string;
      readonly from: string;
      readonly to: string;
      readonly failures?: number;
      readonly lastFailure?: string;
    }
  | (OfCall & { readonly type: 'refused'; readonly code: string; readonly retryAt?: number | undefined })
  /** The call waits for a place, for its turn, or for the response to a probe; `ahead` calls are before it. */
  | (OfCall & {
      readonly type: 'waiting';
      readonly for: 'bulkhead' | 'rate-limit' | 'circuit';
      readonly ahead?: number;
    })
  /** The call has waited `waited` ms for a circuit, and is sent: as the probe, or because a probe succeeded. */
  | (OfCall & { readonly type: 'released'; readonly for: 'circuit'; readonly waited: number })
  /** The call shares the response of another one that is under way. */
  | (OfCall & { readonly type: 'deduplicated'; readonly leader: string })
  /** The first attempt has been silent for `delay` ms; a second one is sent to `to`. */
  | (OfCall & {
      readonly type: 'hedge';
      readonly attempt: number;
      readonly delay: number;
      readonly to: string;
    })
  /** The origin of the call failed; the request goes to the next one. */
  | (OfCall & { readonly type: 'failover'; readonly to: string; readonly cause: unknown })
  /** A response of the application takes the place of the final failure. */
  | (OfCall & { readonly type: 'fallback'; readonly cause: unknown })
  /** The application's function for that failed itself; the final failure stands. */
  | (OfCall & { readonly type: 'fallback-failed'; readonly error: unknown })
  | (OfCall & { readonly type: 'cache-stored'; readonly url: string; readonly bytes: number })
  /** A cached response was served: `source` says whether it was fresh, `cause` why the origin's response was not served. `age` in seconds. */
  | (OfCall & {
      readonly type: 'cache-served';
      readonly url: string;
      readonly source: 'cache' | 'stale';
      readonly age: number;
      readonly cause?: unknown;
    })
  /** A cached response was revalidated: `changed` says whether there is a new one. Absent: the origin failed. */
  | (OfCall & {
      readonly type: 'cache-revalidated';
      readonly url: string;
      readonly changed?: boolean;
      readonly error?: unknown;
    })
  /** There is a newer copy than callers were given: from another tab, or late, after a cached response was given here. */
  | { readonly type: 'cache-updated'; readonly url: string }
  /** Cached responses of a URL, of a partition or of all users were deleted here. */
  | {
      readonly type: 'cache-deleted';
      readonly url?: string | undefined;
      readonly partition?: string | undefined;
      readonly entries: number;
    }
  /** A write succeeded: the cached responses of its URL are never fresh again. */
  | {
      readonly type: 'cache-invalidated';
      readonly url: string;
      readonly partition: string;
      readonly entries: number;
    }
  /** A copy was not kept, or given up: the body was not whole or too large, or the record could not be read. */
  | {
      readonly type: 'cache-discarded';
      readonly reason: 'incomplete' | 'too-large' | 'unreadable' | 'other-user';
      readonly url?: string;
    }
  | { readonly type: 'cache-evicted'; readonly entries: number; readonly bytes: number }
  /** The origin has refused the credentials; the request is sent once more, with newer ones. */
  | (OfCall & { readonly type: 'auth-replayed' })
  /** There are new credentials for `origin`: here, or in another tab, from which they were taken over. */
  | { readonly type: 'token-refreshed'; readonly origin: string; readonly remote: boolean }
  /** A refresh failed; no call starts another one before `retryAt` (wall time in ms). */
  | {
      readonly type: 'token-refresh-failed';
      readonly origin: string;
      readonly code: string;
      readonly transient: boolean;
      readonly retryAt: number;
    }
  /** The credentials of a user for `origin` are gone: the application has signed out, or a refresh was refused. */
  | {
      readonly type: 'signed-out';
      readonly origin: string;
      readonly reason: 'application' | 'refused';
      readonly remote: boolean;
    }
  /** A store failed. Reads go on without it; a write that was to be queued fails loudly. */
  | {
      readonly type: 'store-failed';
      readonly store: string;
      readonly operation: string;
      readonly error: unknown;
    }
  /** A newer version of the application has written the entries: this page sends nothing until it is reloaded. */
  | { readonly type: 'update-required'; readonly store: string }
  /** The browser was asked to delete nothing of this site when the disk is full. */
  | { readonly type: 'storage-persistence'; readonly granted: boolean }
  /** The database of the outbox was deleted while the page was open: by the user, or by the browser for want of room. */
  | { readonly type: 'storage-vanished'; readonly store: string }
  /** The shared state (`betweenIsolates`) cannot be reached; each isolate is alone. Emitted once. */
  | { readonly type: 'sharing-failed'; readonly name: string; readonly error: unknown }
  | { readonly type: 'sharing-restored'; readonly name: string }
  | OutboxEvent;

/** What happens to entries of the outbox, in calls and without. */
export type OutboxEvent =
  /** By the call `callId`. */
  | (OfEntry & { readonly type: 'queued'; readonly callId: string })
  /** The events of its attempt have `callId`, that of a call in the background. */
  | (OfEntry & { readonly type: 'sending'; readonly attempt: number; readonly callId: string })
  | (OfEntry & { readonly type: 'delivered'; readonly status: number })
  /** It will be tried again at `at` (wall time in ms). */
  | (OfEntry & { readonly type: 'postponed'; readonly at: number; readonly cause: unknown })
  | (OfEntry & {
      readonly type: 'dead-lettered';
      readonly reason: string;
      readonly status?: number | undefined;
    })
  | (OfEntry & { readonly type: 'removed' })
  /** The entry has ended; emitted in every tab. `meta` comes from the application. */
  | (OfEntry & {
      readonly type: 'finished';
      readonly outcome: 'delivered' | 'dead-lettered' | 'removed';
      readonly reason?: string | undefined;
      readonly status?: number | undefined;
      readonly meta?: unknown;
    })
  /** A dead letter waits again. */
  | (OfEntry & { readonly type: 'replayed' })
  /** What a dead letter will send has been changed. */
  | (OfEntry & { readonly type: 'edited' })
  /** The origin wants credentials: nothing of this partition is sent until `resume()`. */
  | (OfEntry & { readonly type: 'outbox-auth-required' })
  /** The application has paused a lane, or all of them. */
  | { readonly type: 'outbox-paused'; readonly lane?: string | undefined }
  /** It goes on. */
  | { readonly type: 'outbox-resumed'; readonly lane?: string | undefined }
  /** Headers that are not stored, and that no `authorize` will restore. */
  | (OfEntry & { readonly type: 'headers-dropped'; readonly names: readonly string[] });

interface OfEntry {
  readonly id: string;
  readonly origin: string;
  readonly lane: string;
}

/** The events of one type. */
export type EventOf<Type extends HoldfastEvent['type']> = Extract<HoldfastEvent, { type: Type }>;
