import { dropBody } from '../../core/body/body.ts';
import { hasBody, replayable } from '../../core/body/request-body.ts';
import { named, type PolicyTraits } from '../../core/contract.ts';
import { composeWrappers } from '../../core/run/compose-wrappers.ts';
import { type Leaving, type Run, type Stage, stage } from '../../core/stage.ts';
import type { Store } from '../../core/store.ts';
import { usersOf } from '../../core/user.ts';
import { Background } from '../../primitives/background.ts';
import { addFacts, isFailure } from '../../primitives/failure.ts';
import { originOf } from '../../primitives/request.ts';
import { AuthError, SIGNED_OUT } from './error.ts';
import { OAuth2Source } from './oauth2.ts';
import type { AuthScheme, SchemeOptions, SignIn } from './options.ts';
import { basic, inAuthorization, inHeader, inQuery, type Scheme } from './schemes.ts';
import {
  type AuthSettings,
  readApiKey,
  readBasic,
  readBearer,
  readCustom,
  readOAuth2,
  readPartition,
  readScheme,
} from './settings.ts';
import { type CredentialSource, customScheme, secretSource, versionedSource, waitInRun } from './source.ts';
import { StoredToken } from './tokens.ts';

/** Adds credentials to requests. With `user`, it names the signed-in user in place of the client's `partition`. */
export interface Auth<
  User extends (() => string | undefined) | undefined = (() => string | undefined) | undefined,
> extends Stage {
  readonly user: User;
}

/**
 * Puts credentials on requests to the origins that it is named for, and on no others: not after a redirect to another
 * origin, not after failover to one. Credentials that the caller sets itself stay.
 *
 * A token is refreshed before it runs out, and when the origin refuses it (401; a 403 is about permissions): once for all
 * calls, and where there are Web Locks for all tabs. A refused call is then sent once more, with any method,
 * because it has not been applied (RFC 9110, 15.5.2), if its body can be sent again.
 *
 * @throws {AuthError} from a call for which there are no credentials.
 * @see RFC 6749 (OAuth 2.0), RFC 6750 (Bearer), RFC 7617 (Basic), RFC 9700 (refresh tokens).
 *
 * @example
 * const fetch = createFetch({
 *   auth: auth({ scheme: 'bearer', origins: ['https://api.example.com'], token: () => session.token }),
 * });
 */
export function auth<S extends AuthScheme, User extends (() => string | undefined) | undefined = undefined>(
  options: { readonly scheme: S; readonly user?: User } & SchemeOptions[S],
): Auth<User> & (S extends 'oauth2' ? SignIn : unknown) {
  const { settings, scheme, source, more } = createScheme(options);
  const { origins, bodyLimit, user, store } = settings;
  const needsPartition = source.varies && store !== undefined;

  const sign = (run: Run, passage: Passage, request: Request): Passage | Promise<Passage> =>
    chained(scheme.sign(request, passage.secret, run), (own) => {
      run.request = own;
      return passage;
    });

  const begin = (run: Run): Passage | Promise<Passage> => {
    const { call, request } = run;
    if (call.isSignedOut && needsPartition) throw new AuthError(SIGNED_OUT);
    const current = waitInRun(run, (caller) => source.current(caller));
    return chained(current, (secret) => {
      // Before the first time: afterwards the body is gone.
      const isKept = source.renew && hasBody(request);
      const again = isKept ? run.wait(Infinity, replayable(request, bodyLimit)) : () => request;
      return chained(again, (again) =>
        sign(run, { given: request, again, secret, isReplayed: false }, request),
      );
    });
  };

  /** Sends a request that was refused once more, with something newer. */
  const renew = async (run: Run, passage: Passage): Promise<'repeat' | undefined> => {
    const { secret, again } = passage;
    const newer = await waitInRun(run, (caller) => source.renew?.(secret, caller));
    if (newer === undefined || !again) return undefined;
    dropBody(run.response);
    run.call.emit?.({ type: 'auth-replayed', callId: run.call.id, origin: run.origin });
    passage.secret = newer;
    passage.isReplayed = true;
    await sign(run, passage, again());
    return 'repeat';
  };

  const received = (run: Run, response: Response, passage: Passage): Leaving | undefined => {
    const { secret, given, isReplayed } = passage;
    if (scheme.received) run.response = scheme.received(response, given, secret);
    if (response.status !== 401) source.accepted?.(secret, run.call.partition);
    // The platform removes credentials when it is redirected to another origin: the 401 says nothing about them.
    const isOtherOrigin = response.redirected && !origins.includes(originOf(response.url));
    if (response.status !== 401 || !source.renew || isReplayed || isOtherOrigin) return undefined;
    return () => refusing(run, given, () => renew(run, passage));
  };

  const policy = stage<Passage | undefined>({
    attach: (pipeline, inside) => source.attach?.(pipeline, inside),
    enter(run) {
      if (!origins.includes(originOf(run.url)) || scheme.has(run.request)) return undefined;
      return refusing(run, run.request, () => begin(run));
    },
    leave(run, passage) {
      if (!passage) return undefined;
      const { response } = run;
      const { given, secret } = passage;
      if (response) return refusing(run, given, () => received(run, response, passage));
      if (scheme.failed) run.error = scheme.failed(run.error, given, secret);
      // Not the one with the credentials.
      if (isFailure(run.error)) addFacts(run.error, { request: given });
      return undefined;
    },
  });
  const traits: Partial<PolicyTraits> = {
    switchOnly: true,
    needsPartition,
    brings: { compose: composeWrappers, users: usersOf, Background },
    credentials: { origins, vary: source.varies },
    ...(user && { partition: user }),
    signOut: async ({ partition }) => {
      await source.signOut?.(partition);
      return {};
    },
  };
  return Object.assign(named('auth', policy, traits), { user }, more) as never;
}

/** The memory of a passage. */
interface Passage {
  /** The request without credentials. */
  readonly given: Request;
  /** Makes it once more; absent where the body cannot be sent again. */
  readonly again: (() => Request) | undefined;
  secret: string;
  isReplayed: boolean;
}

/** The next step, synchronous if possible. */
const chained = <T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> =>
  value instanceof Promise ? value.then(next) : next(value);

/** Runs a step for a call. Emits an event if there are no credentials. */
function refusing<T>(run: Run, request: Request, work: () => T): T {
  const rejected = (error: unknown): never => {
    const { id: callId, emit } = run.call;
    if (error instanceof AuthError)
      emit?.({ type: 'refused', callId, origin: run.origin, code: error.code, retryAt: error.retryAt });
    // Not the one with the credentials.
    if (isFailure(error)) addFacts(error, { request });
    throw error;
  };
  try {
    const done = work();
    return done instanceof Promise ? (done.catch(rejected) as T) : done;
  } catch (error) {
    return rejected(error);
  }
}

/** The parts of a scheme. */
interface AuthMethod {
  readonly settings: AuthSettings & { readonly store?: Store | undefined };
  readonly scheme: Scheme;
  readonly source: CredentialSource;
  /** The methods for the application. */
  readonly more?: SignIn;
}

function createScheme(options: object): AuthMethod {
  switch (readScheme(options)) {
    case 'bearer': {
      const settings = readBearer(options);
      const { token = () => undefined, store } = settings;
      const source = secretSource(token, settings, store && new StoredToken(settings));
      return { settings, scheme: inAuthorization('Bearer'), source };
    }
    case 'basic': {
      const settings = readBasic(options);
      const source = secretSource(basic(settings.username, settings.password), settings);
      return { settings, scheme: inAuthorization('Basic'), source };
    }
    case 'api-key': {
      const settings = readApiKey(options);
      const { key, header, query = '' } = settings;
      const scheme = header ? inHeader(header) : inQuery(query);
      return { settings, scheme, source: secretSource(key, settings) };
    }
    case 'custom': {
      const settings = readCustom(options);
      return { settings, scheme: customScheme(settings), source: versionedSource(settings) };
    }
    default: {
      const settings = readOAuth2(options);
      const source = new OAuth2Source(settings);
      return {
        settings,
        scheme: inAuthorization('Bearer'),
        source,
        more: {
          signIn: async (tokens, of) => source.signIn(tokens, readPartition(of)),
          signOut: async (of) => source.signOut(readPartition(of)),
          subscribe: (listener) => source.tokens.events.subscribe(listener),
        },
      };
    }
  }
}
