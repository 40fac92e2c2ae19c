import { HoldfastError, isFailure } from '../../primitives/failure.ts';

/**
 * - `signed-out`: no user is signed in, or a refresh was refused.
 * - `no-token`: `token()` returned none, although a user is signed in.
 * - `refresh-failed`: no new token is available now.
 * - `credentials-failed`: a function of the application failed, or returned a value that cannot be sent.
 * - `user-changed`: another user has signed in since the call was made.
 * - `redirected`: the origin redirects, and a key in a header of its own would go along.
 */
export type AuthCode =
  | 'no-token'
  | 'signed-out'
  | 'refresh-failed'
  | 'credentials-failed'
  | 'user-changed'
  | 'redirected';

/** Why there are no credentials, as plain data: each call makes its own error of it. */
export interface AuthFailure {
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
 * There are no credentials for a call. No message and no fact contains a secret or the response of a token endpoint; `cause`
 * is the error of the application's own function, or a `HoldfastError`.
 */
export class AuthError extends HoldfastError {
  override name = 'AuthError';
  declare readonly code: AuthCode;

  constructor({ code, message, transient, retryAt, cause }: AuthFailure) {
    super(message, { code, category: 'auth', transient, retryAt, cause });
  }
}

export const SIGNED_OUT: AuthFailure = {
  code: 'signed-out',
  message: 'not signed in (pass auth: false for anonymous calls)',
  transient: false,
};

export const NO_TOKEN: AuthFailure = {
  code: 'no-token',
  message: 'there is no token yet for the signed-in user',
  transient: true,
};

export const USER_CHANGED: AuthFailure = {
  code: 'user-changed',
  message: 'another user has signed in since this call was made',
  transient: false,
};

/** No new token, for the time being. */
export const refreshFailed = (message: string, more: Partial<AuthFailure> = {}): AuthFailure => ({
  code: 'refresh-failed',
  message,
  transient: true,
  ...more,
});

/** The failure behind an error of a scheme. @param message For an unknown cause. */
export function toAuthFailure(error: unknown, code: AuthCode, message: string): AuthFailure {
  if (error instanceof AuthError) {
    const { code, message, transient, retryAt, cause } = error;
    return { code, message, transient, retryAt, cause };
  }
  // A request for tokens has secrets in its headers and in its body.
  if (isFailure(error)) Reflect.deleteProperty(error, 'request');
  return { code, message, transient: true, cause: error };
}
