import type { AuthOptions, OAuth2Options, TokenResponse } from '../../src/policies/auth/options.ts';
import { ok, type ScriptedOrigin, type Seen, type Step, status, type TestHost } from '../../src/testing.ts';

export const API = 'https://api.example.com';
const ID = 'https://id.example.com';
export const TOKEN_ENDPOINT = `${ID}/token`;

/** Any option of any grant. */
export type MoreOAuth2 = Partial<Omit<Extract<OAuth2Options, { clientSecret: string }>, 'grant'>> & {
  readonly grant?: OAuth2Options['grant'];
};

/** Options for the server below. */
export const oauth2 = (more: MoreOAuth2 = {}): AuthOptions<'oauth2'> =>
  ({
    scheme: 'oauth2',
    origins: [API],
    grant: 'refresh_token',
    ...(typeof more.grant !== 'function' && { tokenEndpoint: TOKEN_ENDPOINT, clientId: 'app' }),
    ...more,
  }) as AuthOptions<'oauth2'>;

/** An authorization server and an API behind it, in virtual time. Refresh tokens rotate; one used twice ends it all. */
export interface TokenServer {
  /** A sign-in. */
  login(user?: string, more?: Partial<TokenResponse>): TokenResponse;
  /** The token endpoint's next reactions; afterwards it succeeds. */
  replies(...steps: Step[]): void;
  /** Properties of the tokens from now on. */
  says(more: Partial<TokenResponse>): void;
  /** No access token that there is counts any more. */
  revoke(): void;
  /** Requests that the API refuses with any token. Default none. */
  refuses: (path: string) => boolean;
  /** Requests for tokens, and for the API. */
  asked(): Seen[];
  called(): Seen[];
  /** The user of each call to the API; `401` if it had none. */
  readonly served: string[];
  /** A refresh token was used twice. */
  readonly reused: boolean;
}

export function tokenServer(origin: ScriptedOrigin, { clock }: TestHost): TokenServer {
  const access = new Map<string, { user: string; until: number }>();
  const refresh = new Map<string, { user: string; used: boolean }>();
  const script: Step[] = [];
  const served: string[] = [];
  let said: Partial<TokenResponse> = {};
  let made = 0;
  let reused = false;

  const login = (user = 'ann', more: Partial<TokenResponse> = {}): TokenResponse => {
    const nth = ++made;
    const tokens = {
      access_token: `access-${user}-${nth}`,
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: `refresh-${user}-${nth}`,
      ...said,
      ...more,
    };
    access.set(tokens.access_token, { user, until: clock.ticks() + Number(tokens.expires_in) * 1_000 });
    if (tokens.refresh_token) refresh.set(tokens.refresh_token, { user, used: false });
    return tokens;
  };

  const endpoint = (body: string): Response => {
    const asked = new URLSearchParams(body);
    if (asked.get('grant_type') === 'client_credentials') return json(login('client'));
    const found = refresh.get(asked.get('refresh_token') ?? '');
    if (found?.used) {
      reused = true;
      access.clear();
      refresh.clear();
    }
    if (!found || found.used) return json({ error: 'invalid_grant' }, 400);
    found.used = true;
    return json(login(found.user));
  };

  const api = ({ url, headers }: Seen): Response => {
    const found = access.get((headers.get('authorization') ?? '').replace(/^Bearer /, ''));
    const isGood = found && clock.ticks() < found.until && !server.refuses(new URL(url).pathname);
    served.push(isGood ? found.user : '401');
    return isGood ? ok(found.user) : status(401);
  };

  origin.otherwise((request, signal) => {
    const seen = origin.seen.at(-1) as Seen;
    if (!request.url.startsWith(ID)) return api(seen);
    const step = script.shift();
    if (step instanceof Error) throw step;
    return typeof step === 'function' ? step(request, signal) : (step ?? endpoint(seen.body));
  });
  const of = (start: string) => () => origin.seen.filter(({ url }) => url.startsWith(start));

  const server = {
    login,
    replies: (...steps: Step[]) => void script.push(...steps),
    says: (more: Partial<TokenResponse>) => {
      said = more;
    },
    revoke: () => access.clear(),
    refuses: (_: string) => false,
    asked: of(TOKEN_ENDPOINT),
    called: of(API),
    served,
    get reused() {
      return reused;
    },
  };
  return server;
}

export const json = (value: unknown, code = 200, headers: Record<string, string> = {}): Response =>
  ok(JSON.stringify(value), { status: code, headers: { 'content-type': 'application/json', ...headers } });
