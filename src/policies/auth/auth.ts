import { dropBody } from '../../core/body.ts';
import { within } from '../../core/clock.ts';
import { type Call, named, type Policy, type PolicyTraits, type Wrapper } from '../../core/contract.ts';
import { addFacts, isFailure } from '../../core/errors.ts';
import { originOf } from '../../core/origins.ts';
import { replay } from '../../core/replay.ts';
import type { Place } from './crew.ts';
import { AuthError, SIGNED_OUT } from './error.ts';
import { methodOf, type SignIn } from './method.ts';
import type { AuthScheme, SchemeOptions } from './options.ts';

/** Puts credentials on. With `user`, it says whose calls these are, in place of the client's `partition`. */
export interface Auth<
  User extends (() => string | undefined) | undefined = (() => string | undefined) | undefined,
> extends Wrapper {
  readonly user: User;
}

/**
 * Puts credentials on requests to the origins that it is named for, and on no others: not after a redirect to another
 * origin, not after failover to one. What the caller has put on itself stays, and is the caller's to look after.
 *
 * A token is refreshed before it runs out, and when the origin refuses it (401; 403 is not about who it is): once for all
 * calls, and where there are Web Locks for all tabs. A call that was refused is then sent once more, whatever its method,
 * because it has not been applied (RFC 9110, 15.5.2), if its body can be sent again.
 *
 * @throws {AuthError} from a call for which there are no credentials.
 * @see RFC 6749 (OAuth 2.0), RFC 6750 (Bearer), RFC 7617 (Basic), RFC 9700 (refresh tokens).
 */
export function auth<S extends AuthScheme, User extends (() => string | undefined) | undefined = undefined>(
  options: { readonly scheme: S; readonly user?: User } & SchemeOptions[S],
): Auth<User> & (S extends 'oauth2' ? SignIn : unknown) {
  const {
    settings,
    scheme,
    source,
    enter,
    needsPartition = false,
    varies,
    signOut,
    more,
  } = methodOf(options);
  const { origins, bodyLimit, user } = settings;

  const send = async (request: Request, call: Call, place: Place): Promise<Response> => {
    const { id: callId, origin, emit } = call;
    if (call.isSignedOut && needsPartition) throw new AuthError(SIGNED_OUT);
    const secret = await source.current(call, place);
    // Before the first time: afterwards the body is gone.
    const again =
      source.renew && request.body !== null
        ? await within(Infinity, call, replay(request, bodyLimit))
        : () => request;
    const response = await scheme.send(request, secret, call, place);
    if (!source.renew) return response;
    if (response.status !== 401) {
      source.accepted?.(secret, call);
      return response;
    }
    // Where the platform has been sent it had none.
    if (response.redirected && !origins.includes(originOf(response.url))) return response;
    let newer: string | undefined;
    try {
      newer = await source.renew(secret, call, place);
    } catch (error) {
      dropBody(response);
      throw error;
    }
    if (newer === undefined || !again) return response;
    dropBody(response);
    emit?.({ type: 'auth-replayed', callId, origin });
    const answer = await scheme.send(again(), newer, call, place);
    if (answer.status !== 401) source.accepted?.(newer, call);
    return answer;
  };

  const policy: Wrapper = (next, home) => {
    const place = { next, home };
    enter(place);
    return (request, call) => {
      if (!origins.includes(originOf(request.url)) || scheme.has(request)) return next(request, call);
      return send(request, call, place).catch((error) => {
        const { id: callId, origin, emit } = call;
        if (error instanceof AuthError)
          emit?.({ type: 'refused', callId, origin, code: error.code, retryAt: error.retryAt });
        // Not the one with the credentials.
        if (isFailure(error)) addFacts(error, { request });
        throw error;
      });
    };
  };
  const credentials = { origins, vary: varies };
  const traits: Partial<PolicyTraits> = {
    switchOnly: true,
    needsPartition,
    credentials,
    ...(user && { partition: user }),
    signOut: async ({ partition }) => {
      source.forget?.(partition);
      await signOut?.(partition);
      return {};
    },
  };
  return Object.assign(named('auth', policy, traits), { user }, more) as never;
}
