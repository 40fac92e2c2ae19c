import { ofType } from '../../primitives/validate.ts';
import { AttachedPipelines } from './attached-pipelines.ts';
import { customScheme, dynamicToken, versionedSource } from './dynamic-token.ts';
import { OAuth2Source } from './oauth2.ts';
import type { Secret, SignIn } from './options.ts';
import { basic, inAuthorization, inHeader, inQuery, type Scheme } from './schemes.ts';
import {
  type AuthSettings,
  readApiKey,
  readBasic,
  readBearer,
  readCustom,
  readOAuth2,
  readScheme,
  readSignIn,
} from './settings.ts';
import { type CredentialSource, fixedSource } from './source.ts';
import { StoredToken } from './token-store.ts';

/** The parts of a scheme. */
interface AuthMethod {
  readonly settings: AuthSettings;
  readonly scheme: Scheme;
  readonly source: CredentialSource;
  readonly attach: AttachedPipelines['attach'];
  /** It stores data of users. */
  readonly needsPartition?: boolean;
  /** Requests of one partition may have credentials of several users, if the partition names no user. */
  readonly varies: boolean;
  /** Deletes the tokens of a user. */
  readonly signOut?: (partition: string) => Promise<void>;
  /** The methods for the application. */
  readonly more?: SignIn;
}

export function createScheme(options: object): AuthMethod {
  const { scheme } = (options ?? {}) as { scheme?: unknown };
  switch (readScheme(scheme, 'auth.scheme')) {
    case 'bearer': {
      const settings = readBearer(options);
      const { token = () => undefined, store } = settings;
      const scheme = inAuthorization('Bearer');
      if (!store || typeof token === 'string') return { settings, scheme, ...sourceOf(token, settings) };
      const stored = new StoredToken(settings);
      // The store opens itself again when it is used.
      const pipelines = new AttachedPipelines(() => void store.close().catch(() => {}));
      return {
        settings,
        scheme,
        source: dynamicToken(token, settings, pipelines, stored),
        attach: (attachment) => pipelines.attach(attachment),
        needsPartition: true,
        varies: true,
        signOut: (partition) => stored.remove(partition, pipelines.attachment.pipeline),
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
      const pipelines = new AttachedPipelines();
      const enter: AuthMethod['attach'] = (attachment) => pipelines.attach(attachment);
      const source = versionedSource(settings, pipelines);
      return { settings, scheme: customScheme(settings), source, attach: enter, varies: true };
    }
    default: {
      const settings = readOAuth2(options);
      const sessions = new OAuth2Source(settings);
      const { tokens: tokenCache } = sessions;
      return {
        settings,
        scheme: inAuthorization('Bearer'),
        source: sessions,
        attach: (attachment) => tokenCache.attach(attachment),
        // The tokens of the client itself are no user's.
        needsPartition: settings.store !== undefined && settings.grant !== 'client_credentials',
        varies: settings.grant !== 'client_credentials',
        signOut: (partition) => sessions.signOut(partition),
        more: {
          signIn: async (tokens, of = {}) => sessions.signIn(tokens, readSignIn(of).partition),
          signOut: async (of = {}) => sessions.signOut(readSignIn(of).partition),
          subscribe: (listener) =>
            tokenCache.subscribe(ofType<typeof listener>('function')(listener, 'subscribe.listener')),
        },
      };
    }
  }
}

function sourceOf(secret: Secret, settings: AuthSettings): Pick<AuthMethod, 'source' | 'attach' | 'varies'> {
  if (typeof secret !== 'function') return { source: fixedSource(secret), attach: () => {}, varies: false };
  const pipelines = new AttachedPipelines();
  return {
    source: dynamicToken(secret, settings, pipelines),
    attach: (attachment) => pipelines.attach(attachment),
    varies: true,
  };
}
