import type { Call } from '../../core/contract.ts';
import type { CachedResponse } from './entry.ts';
import type { CallSettings } from './options.ts';

/** What the cache knows of a request of its own, and of a read on its way to the origin. */
export interface Revalidation {
  /** The cached response to revalidate. */
  readonly cached?: CachedResponse | undefined;
  /** The caller has a cached response, because there was no other. */
  readonly isServed?: boolean;
  /** No caller waits for the response. */
  readonly isBackground?: boolean;
  /** Replaces the options of the call. */
  readonly own?: CallSettings;
}

/** Kept on the call, because a `Request` may be reused by others; each cache has a key of its own. */
export class RevalidationKey {
  readonly #key = Symbol('holdfast.cache.question');

  of(call: Call): Revalidation | undefined {
    return (call as Call & Record<symbol, unknown>)[this.#key] as Revalidation | undefined;
  }

  /** @param revalidation `undefined` for stages further in that must not see it. */
  put(revalidation: Revalidation | undefined, call: Call, more?: Partial<Call>): Call {
    return { ...call, ...more, [this.#key]: revalidation } as Call;
  }
}
