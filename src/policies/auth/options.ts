import type { Cipher, Store } from '../../core/store.ts';
import type { Duration, Size } from '../../primitives/units.ts';

/** The options of all schemes. */
interface EveryScheme {
  /** Origins that get the credentials: `'https://api.example.com'`. No other origin does. */
  readonly origins: readonly string[];
  /** How much of a body that can be read only once is kept, so that it can be sent again after a 401. Default 1 MB. */
  readonly bodyLimit?: Size;
  /** How long a function of the application's own may take, or the token endpoint with its body. Default 10 s. */
  readonly timeout?: Duration;
}

/** The argument of a function that returns a secret. */
export interface SecretContext {
  /** The partition of the call. */
  readonly partition: string;
  /** The origin has just refused this one: it is time for another. Absent otherwise. */
  readonly refused?: string;
}

/** Returns a secret, or `undefined` without a user or a token. Called for each request; after a 401 once for all calls. */
export type Secret = string | ((context: SecretContext) => string | undefined | Promise<string | undefined>);

/** `Authorization: Bearer …` (RFC 6750), with a token of the application. */
export type BearerOptions = EveryScheme &
  (
    | { readonly token: Secret; readonly store?: undefined }
    | ({
        /** Default: only the stored token is used, as in a service worker that shares the store of its pages. */
        readonly token?: Exclude<Secret, string>;
        /** Keeps the last token that the function gave, for a reload and for a service worker. */
        readonly store: Store;
      } & Pick<TokenKeeping, 'encryption' | 'name'>)
  );

/** `Authorization: Basic …` (RFC 7617). */
export interface BasicOptions extends EveryScheme {
  readonly username: string;
  readonly password: string;
}

/** A key in a header of its own, or in the query. */
export type ApiKeyOptions = EveryScheme & { readonly key: Secret } & (
    | { readonly header: string; readonly query?: undefined }
    | { readonly query: string; readonly header?: undefined }
  );

/** `Authorization: Bearer …` with tokens of an authorization server (RFC 6749), which are looked after here. */
export type OAuth2Options = EveryScheme &
  TokenKeeping &
  (
    | (TokenEndpoint & {
        /** From the tokens that `signIn` was given (RFC 6749, 6). */
        readonly grant: 'refresh_token';
      })
    | (TokenEndpoint & {
        /** By the client for itself (RFC 6749, 4.4). */
        readonly grant: 'client_credentials';
        readonly clientSecret: string;
      })
    /** By a function of the application. */
    | { readonly grant: Grant }
  );

interface TokenKeeping {
  /** How long before a token runs out it is refreshed, behind the callers' backs. Default 1 min, and at most half its life. */
  readonly refreshBefore?: Duration;
  /** Where tokens are kept besides memory, so that tabs share them and a reload finds them. Default: nowhere. */
  readonly store?: Store;
  /** Encrypts stored tokens; see `encryptWith`. Required with a durable store; `false`: they are stored as plain text. */
  readonly encryption?: Cipher | false;
  /** Distinguishes policies that share a store or a page. Default: token endpoint and client, else the origins. */
  readonly name?: string;
}

/** The token endpoint and the client. */
interface TokenEndpoint {
  readonly tokenEndpoint: string;
  readonly clientId: string;
  /** Of a confidential client; never in a page. */
  readonly clientSecret?: string;
  /** How a client with a secret authenticates (RFC 6749, 2.3.1). Default `'basic'`. */
  readonly clientAuthentication?: 'basic' | 'body';
  readonly scope?: string;
  /** Further parameters of the token request: `{ audience: '…' }`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The argument of a function that requests tokens. */
export interface GrantContext {
  /** Of the tokens there are. */
  readonly refreshToken?: string | undefined;
  readonly partition: string;
  /** Aborts when `timeout` is over. */
  readonly signal: AbortSignal;
  /** Sends a request past `auth`, with all that lies below it. */
  readonly fetch: (request: Request) => Promise<Response>;
}

/** Returns new tokens, as RFC 6749, 5.1 names them; `undefined`: the user is signed out. */
export type Grant = (context: GrantContext) => Promise<TokenResponse | undefined>;

/** The response of a token endpoint (RFC 6749, 5.1), unchecked. */
export interface TokenResponse {
  readonly access_token: string;
  /** Nothing but `Bearer` is understood. */
  readonly token_type?: string;
  /** Seconds from now on. Absent: unknown, so that only a 401 ends the token. */
  readonly expires_in?: number;
  /** Absent: the one there is stays. */
  readonly refresh_token?: string;
}

/** Credentials of the application's own making, such as a signature. */
export interface CustomOptions extends EveryScheme {
  /** Puts credentials on: sets the request's headers, or gives another request. Asked for each request. */
  readonly authorize: (request: Request, context: AuthorizeContext) => Authorized | Promise<Authorized>;
  /** After a 401: gets new ones, once for all calls, each of which is then authorized anew. Default: the 401 stands. */
  readonly refresh?: (context: AuthorizeContext) => unknown;
}

export interface AuthorizeContext {
  readonly partition: string;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a function that only sets headers returns nothing
type Authorized = Request | undefined | void;

/** The options by scheme. */
export interface SchemeOptions {
  readonly bearer: BearerOptions;
  readonly basic: BasicOptions;
  readonly 'api-key': ApiKeyOptions;
  readonly oauth2: OAuth2Options;
  readonly custom: CustomOptions;
}

export type AuthScheme = keyof SchemeOptions;

/** The options of one scheme, or of any. */
export type AuthOptions<S extends AuthScheme = AuthScheme> = {
  [Each in S]: { readonly scheme: Each } & SchemeOptions[Each];
}[S];

/** The methods of `scheme: 'oauth2'`. */
export interface SignIn {
  /**
   * Takes the response of a token endpoint (RFC 6749, 5.1) as it came. It counts at once; resolves when it is stored.
   *
   * @throws {ConfigurationError} if it is no token response.
   */
  signIn(tokens: TokenResponse, of?: SignInOptions): Promise<void>;
  /**
   * Deletes a user's tokens, in all tabs. They are not revoked at the authorization server.
   *
   * @throws {StorageError} if the store failed: this tab is signed out, and a reload may find the tokens again.
   */
  signOut(of?: SignInOptions): Promise<void>;
  /** Subscribes to sign-ins, sign-outs and refreshes, in this tab and in others. @returns ends the subscription. */
  subscribe(listener: (event: AuthEvent) => void): () => void;
}

interface SignInOptions {
  /** Default: the current user's. */
  readonly partition?: string;
}

/** An event for listeners of `subscribe`; never has a token. */
export type AuthEvent = {
  readonly partition: string;
  /** It happened in another tab or worker. */
  readonly remote: boolean;
} & (
  | { readonly type: 'signed-in' | 'refreshed' }
  /** `'refused'`: the authorization server gives no more tokens. */
  | { readonly type: 'signed-out'; readonly reason: 'application' | 'refused' }
);
