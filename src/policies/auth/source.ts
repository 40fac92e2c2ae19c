import type { Call } from '../../core/contract.ts';
import type { Attachment } from './attached-pipelines.ts';

/** A source of secrets. */
export interface CredentialSource {
  /** The secret for a request. @throws {AuthError} if there is none. */
  current(call: Call, attachment: Attachment): string | Promise<string>;
  /**
   * After a 401, a newer secret. Absent: there never is one.
   *
   * @returns `undefined` if there is none: the 401 stands.
   * @throws {AuthError} the same for all callers that wait.
   */
  renew?(refused: string, call: Call, attachment: Attachment): Promise<string | undefined>;
  /** The origin has accepted the secret: no 401. */
  accepted?(secret: string, call: Call): void;
  /** A user signs out: no secret of this user stays in memory. */
  forget?(partition: string): void;
}

/** One that never changes. */
export const fixedSource = (secret: string): CredentialSource => ({ current: () => secret });
