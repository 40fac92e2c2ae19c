/** A page whose calls need tokens. A test uses it as `page`. */
import { deviceKey, encryptWith } from '../../../../src/encryption.ts';
import {
  type Auth,
  auth,
  createFetch,
  type HoldfastFetch,
  indexedDBStore,
  type SignIn,
  type TokenResponse,
} from '../../../../src/index.ts';
import type { AuthEvent } from '../../../../src/policies/auth/options.ts';

export interface Settings {
  /** The URL of the tenant. */
  readonly base: string;
  /** The token store besides memory. */
  readonly kept: boolean;
  /** The behaviour of the token endpoint. */
  readonly query?: string;
}

let policy: (Auth & SignIn) | undefined;
let fetch: HoldfastFetch | undefined;
let origin = '';
const news: string[] = [];

const page = {
  open({ base, kept, query = '' }: Settings): void {
    origin = base;
    const own = auth({
      scheme: 'oauth2',
      origins: [new URL(base).origin],
      grant: 'refresh_token',
      tokenEndpoint: `${base}/token?${query}`,
      clientId: 'app',
      name: 'app',
      user: () => 'ann',
      ...(kept && { store: indexedDBStore({ name: 'tokens' }), encryption: encryptWith(deviceKey()) }),
    });
    own.subscribe(({ type, remote }: AuthEvent) => news.push(`${type}${remote ? ' elsewhere' : ''}`));
    policy = own;
    fetch = createFetch({ auth: own, timeout: { attempt: '30s', total: '60s' } }) as HoldfastFetch;
  },
  signIn: (tokens: TokenResponse): Promise<void> | undefined => policy?.signIn(tokens),
  signOut: (): Promise<void> | undefined => policy?.signOut(),
  /** Statuses, or codes of errors, with the number of calls for each. */
  async calls(count: number): Promise<Record<string, number>> {
    const outcomes: Record<string, number> = {};
    const call = async (nth: number): Promise<void> => {
      const outcome = await fetch?.(`${origin}/resource/${nth}`).then(
        async (response) => {
          await response.text();
          return response.status;
        },
        (error) => error.code ?? String(error),
      );
      outcomes[String(outcome)] = (outcomes[String(outcome)] ?? 0) + 1;
    };
    await Promise.all(Array.from({ length: count }, (_, nth) => call(nth)));
    return outcomes;
  },
  news: (): string[] => news,
};

export type Page = typeof page;

Object.assign(globalThis, { page });
