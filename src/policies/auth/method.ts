import { ofType } from '../../core/check.ts';
import { asked } from './asked.ts';
import { Crew } from './crew.ts';
import { customScheme, generations } from './custom.ts';
import type { AuthNews } from './news.ts';
import type { Secret } from './options.ts';
import { basic, inAuthorization, inHeader, inQuery, type Scheme } from './schemes.ts';
import { Sessions } from './sessions.ts';
import {
  readApiKey,
  readBasic,
  readBearer,
  readCustom,
  readOAuth2,
  readScheme,
  readSignIn,
  type Settings,
} from './settings.ts';
import { fixed, type Source } from './source.ts';
import { StoredToken } from './stored-token.ts';
import type { TokenResponse } from './tokens.ts';

/** What a scheme is made of. */
interface Method {
  readonly settings: Settings;
  readonly scheme: Scheme;
  readonly source: Source;
  readonly enter: Crew['enter'];
  /** It keeps what belongs to somebody. */
  readonly needsPartition?: boolean;
  /** Two requests of one partition may have the credentials of two users, if the partition names no user. */
  readonly varies: boolean;
  /** Deletes the tokens of a user. */
  readonly signOut?: (partition: string) => Promise<void>;
  /** What the application can do with it. */
  readonly more?: SignIn;
}

/** What `scheme: 'oauth2'` can do besides. */
export interface SignIn {
  /**
   * Takes what a token endpoint gave at sign-in (RFC 6749, 5.1), as it came. It counts at once; settles when it is kept.
   *
   * @throws {ConfigurationError} if it is no such thing.
   */
  signIn(tokens: TokenResponse, of?: OfUser): Promise<void>;
  /** Forgets somebody's tokens, in all tabs. The authorization server is not told. */
  signOut(of?: OfUser): Promise<void>;
  /** Hears who is signed in and out, and whose tokens are new; in this tab and in others. @returns ends it. */
  subscribe(listener: (news: AuthNews) => void): () => void;
}

interface OfUser {
  /** Whose. Default: the current user's. */
  readonly partition?: string;
}

export function methodOf(options: object): Method {
  const { scheme } = (options ?? {}) as { scheme?: unknown };
  switch (readScheme(scheme, 'auth.scheme')) {
    case 'bearer': {
      const settings = readBearer(options);
      const { token = () => undefined, store } = settings;
      const scheme = inAuthorization('Bearer');
      if (!store || typeof token === 'string') return { settings, scheme, ...sourceOf(token, settings) };
      const stored = new StoredToken(settings);
      // The store opens itself again when it is used.
      const crew = new Crew(() => void store.close().catch(() => {}));
      return {
        settings,
        scheme,
        source: asked(token, settings, crew, stored),
        enter: (place) => crew.enter(place),
        needsPartition: true,
        varies: true,
        signOut: (partition) => stored.remove(partition, crew.place.pipeline),
      };
    }
    case 'basic': {
      const settings = readBasic(options);
      const secret = basic(settings.username, settings.password);
      return { settings, scheme: inAuthorization('Basic'), ...sourceOf(secret, settings) };
    }
    case 'api-key': {
      const settings = readApiKey(options);
      const { key, header, query = '' } = settings;
      return { settings, scheme: header ? inHeader(header) : inQuery(query), ...sourceOf(key, settings) };
    }
    case 'custom': {
      const settings = readCustom(options);
      const crew = new Crew();
      const enter: Method['enter'] = (place) => crew.enter(place);
      const source = generations(settings, crew);
      return { settings, scheme: customScheme(settings), source, enter, varies: true };
    }
    default: {
      const settings = readOAuth2(options);
      const sessions = new Sessions(settings);
      const { keeper } = sessions;
      return {
        settings,
        scheme: inAuthorization('Bearer'),
        source: sessions,
        enter: (place) => keeper.enter(place),
        // A client's own tokens are nobody's.
        needsPartition: settings.store !== undefined && settings.grant !== 'client_credentials',
        varies: settings.grant !== 'client_credentials',
        signOut: (partition) => sessions.signOut(partition),
        more: {
          signIn: async (tokens, of = {}) => sessions.signIn(tokens, readSignIn(of).partition),
          signOut: async (of = {}) => sessions.signOut(readSignIn(of).partition),
          subscribe: (listener) =>
            keeper.subscribe(ofType<typeof listener>('function')(listener, 'subscribe.listener')),
        },
      };
    }
  }
}

function sourceOf(secret: Secret, settings: Settings): Pick<Method, 'source' | 'enter' | 'varies'> {
  if (typeof secret !== 'function') return { source: fixed(secret), enter: () => {}, varies: false };
  const crew = new Crew();
  return { source: asked(secret, settings, crew), enter: (place) => crew.enter(place), varies: true };
}
