import type { Call } from '../../core/contract.ts';
import type { Place } from './crew.ts';

/** Where secrets come from. */
export interface Source {
  /** What a request carries. @throws {AuthError} where there is nothing to be had. */
  current(call: Call, place: Place): string | Promise<string>;
  /**
   * After a 401, something newer than what was refused. Absent: there never is.
   *
   * @returns `undefined` where there is nothing newer: the 401 stands.
   * @throws {AuthError} the same for all who wait for it.
   */
  renew?(refused: string, call: Call, place: Place): Promise<string | undefined>;
  /** The origin has answered with something else than 401. */
  accepted?(secret: string, call: Call): void;
  /** A user signs out: no secret of this user stays in memory. */
  forget?(partition: string): void;
}

/** One that never changes. */
export const fixed = (secret: string): Source => ({ current: () => secret });
