import { dropBody } from '../../core/body/body.ts';
import { readUpTo } from '../../core/body/read-body.ts';
import type { Handler, PipelineContext } from '../../core/contract.ts';
import { TimeoutError } from '../../core/errors.ts';
import { watchUser } from '../../core/user.ts';
import { retryAfter } from '../../http/retry-after.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { withDeadline } from '../../primitives/clock.ts';
import type { Failure } from '../../primitives/failure.ts';
import { originOf } from '../../primitives/request.ts';
import { type AuthFailure, refreshFailed, toAuthFailure, USER_CHANGED } from './error.ts';
import { basic, isRedirect } from './schemes.ts';
import type { OAuth2Settings } from './settings.ts';

/** The largest response of a token endpoint, in bytes. */
const LONGEST = 64_000;

/** The error codes that our errors may show (RFC 6749, 5.2). */
const KNOWN = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
];

/** The JSON of the response, unchecked; `refused`: another attempt is in vain. */
type TokenEndpointResponse =
  | { readonly said: unknown }
  | { readonly refused: true }
  | { readonly failure: AuthFailure };

/** Asks for tokens, once, past `auth` and through all that lies below it. */
export async function exchange(
  settings: OAuth2Settings,
  user: string,
  refreshToken: string | undefined,
  pipeline: PipelineContext,
  inside: Handler,
): Promise<TokenEndpointResponse> {
  const { grant, timeout } = settings;
  if (grant === 'refresh_token' && refreshToken === undefined) return { refused: true };
  const { host } = pipeline;
  // Not the pipeline's: a refresh token that was used up while it was closed would be lost.
  const { signal, abort } = createAborter();
  const cancel = host.clock.after(timeout, () => abort(new TimeoutError('total', timeout)));
  const fetch = (request: Request): Promise<Response> => {
    const { url } = request;
    return inside(request, pipeline.background({ url, origin: originOf(url), partition: user, signal }));
  };
  const ask = async (): Promise<TokenEndpointResponse> => {
    if (typeof grant !== 'function') {
      const response = await fetch(tokenRequest(settings, refreshToken));
      return readResponse(response, grant === 'refresh_token', host.clock.now(), signal);
    }
    const isStill = watchUser(user, pipeline);
    const said = await grant({ refreshToken, partition: user, signal, fetch });
    // Without a refresh token the function only knows the user that is signed in now.
    if (refreshToken === undefined && !isStill()) return { failure: USER_CHANGED };
    return said === undefined ? { refused: true } : { said };
  };
  try {
    return await withDeadline(Infinity, { host, signal }, ask());
  } catch (error) {
    const failure = toAuthFailure(error, 'refresh-failed', 'the token endpoint could not be asked');
    const { retryAt } = (failure.cause ?? {}) as Partial<Failure>;
    return { failure: { ...failure, wait: retryAt && retryAt - host.clock.now() } };
  } finally {
    cancel();
  }
}

/** RFC 6749, 4.4.2 and 6; the client authenticates as in 2.3.1. */
function tokenRequest(settings: OAuth2Settings, refreshToken: string | undefined): Request {
  const { grant, tokenEndpoint, clientId, clientSecret, clientAuthentication, scope, parameters } = settings;
  const headers = new Headers({ accept: 'application/json' });
  const body = new URLSearchParams({ ...parameters, grant_type: grant as string });
  if (refreshToken !== undefined) body.set('refresh_token', refreshToken);
  if (scope !== undefined) body.set('scope', scope);
  if (clientSecret !== undefined && clientAuthentication === 'basic')
    headers.set('authorization', `Basic ${basic(formEncoded(clientId), formEncoded(clientSecret))}`);
  else {
    body.set('client_id', clientId as string);
    if (clientSecret !== undefined) body.set('client_secret', clientSecret);
  }
  // Its secrets must not appear elsewhere.
  return new Request(tokenEndpoint as string, { method: 'POST', headers, body, redirect: 'manual' });
}

const formEncoded = (text = ''): string => new URLSearchParams({ '': text }).toString().slice(1);

async function readResponse(
  response: Response,
  canBeRefused: boolean,
  now: number,
  signal: AbortSignal,
): Promise<TokenEndpointResponse> {
  // Too late.
  if (signal.aborted || isRedirect(response)) {
    dropBody(response);
    return { failure: refreshFailed('the token endpoint redirects') };
  }
  const { status, ok, headers } = response;
  const said = (await bodyOf(response, signal)) as { error?: unknown } | null | undefined;
  if (ok) return { said };
  const known = KNOWN.find((word) => word === said?.error);
  // Endpoints without OAuth errors respond with a bare 401.
  if (canBeRefused && (known === 'invalid_grant' || (status === 401 && !known))) return { refused: true };
  return {
    failure: refreshFailed(`the token endpoint responded ${status}${known ? `, ${known}` : ''}`, {
      transient: status >= 500 || status === 408 || status === 429,
      wait: retryAfter(headers, now),
    }),
  };
}

/** `undefined` if the body is not JSON (a login page), is truncated, or too large. */
async function bodyOf({ body }: Response, signal: AbortSignal): Promise<unknown> {
  const reader = body?.getReader();
  if (!reader) return undefined;
  follow(signal, () => void reader.cancel().catch(() => {}));
  const bytes = await readUpTo(reader, LONGEST);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
