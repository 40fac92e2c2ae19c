import { HoldfastError, isFailure } from '../../core/errors.ts';

/**
 * - `signed-out`: nobody is signed in, or a refresh was refused.
 * - `no-token`: the function for the token gave none, although a user is signed in.
 * - `refresh-failed`: no new token was to be had just now.
 * - `credentials-failed`: a function of the application's own failed, or gave what cannot be sent.
 * - `user-changed`: somebody else has signed in since the call was made.
 * - `redirected`: the origin redirects, and a key in a header of its own would go along.
 */
export type AuthCode =
  | 'no-token'
  | 'signed-out'
  | 'refresh-failed'
  | 'credentials-failed'
  | 'user-changed'
  | 'redirected';

/** Why there are no credentials, as plain data: each call makes an error of its own of it. */
export interface Trouble {
  readonly code: AuthCode;
  readonly message: string;
  /** It may be otherwise later, by itself. */
  readonly transient: boolean;
  /** How long the token endpoint wants to be left alone, in ms. */
  readonly wait?: number | undefined;
  /** Wall time in ms. */
  readonly retryAt?: number | undefined;
  readonly cause?: unknown;
}

/**
 * There are no credentials for a call. No message and no fact has a secret in it, or what a token endpoint said; `cause`
 * is what the application's own function threw, or a failure of ours.
 */
export class AuthError extends HoldfastError {
  override name = 'AuthError';
  declare readonly code: AuthCode;

  constructor({ code, message, transient, retryAt, cause }: Trouble) {
    super(message, { code, category: 'auth', transient, retryAt, cause });
  }
}

export const SIGNED_OUT: Trouble = {
  code: 'signed-out',
  message: 'nobody is signed in; a call that needs no credentials says auth: false',
  transient: false,
};

export const NO_TOKEN: Trouble = {
  code: 'no-token',
  message: 'there is no token yet for the user who is signed in',
  transient: true,
};

export const USER_CHANGED: Trouble = {
  code: 'user-changed',
  message: 'somebody else has signed in since this call was made',
  transient: false,
};

/** No new token, for the time being. */
export const refreshFailed = (message: string, more: Partial<Trouble> = {}): Trouble => ({
  code: 'refresh-failed',
  message,
  transient: true,
  ...more,
});

/** What it means that something threw while credentials were to be got. @param message Where that is not known. */
export function troubleOf(error: unknown, code: AuthCode, message: string): Trouble {
  if (error instanceof AuthError) {
    const { code, message, transient, retryAt, cause } = error;
    return { code, message, transient, retryAt, cause };
  }
  // A request for tokens has secrets in its headers and in its body.
  if (isFailure(error)) Reflect.deleteProperty(error, 'request');
  return { code, message, transient: true, cause: error };
}
