import type { Call } from '../../core/contract.ts';
import type { Held } from './entry.ts';
import type { CallSettings } from './options.ts';

/** What the cache has to know of a request of its own, and of a read on its way to the origin. */
export interface Question {
  /** The copy that the origin is asked about. */
  readonly held?: Held | undefined;
  /** The caller has been given a copy, because there was no response. */
  readonly isGiven?: boolean;
  /** No caller waits for the response. */
  readonly isBehind?: boolean;
  /** In place of what the call says. */
  readonly own?: CallSettings;
}

/** Questions are on the call, because a `Request` may be used again by others; each cache has a key of its own. */
export class Questions {
  readonly #key = Symbol('holdfast.cache.question');

  of(call: Call): Question | undefined {
    return (call as Call & Record<symbol, unknown>)[this.#key] as Question | undefined;
  }

  /** @param question `undefined` for what is further in, which has nothing to do with it. */
  put(question: Question | undefined, call: Call, more?: Partial<Call>): Call {
    return { ...call, ...more, [this.#key]: question } as Call;
  }
}
