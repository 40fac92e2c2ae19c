import type { Store } from '../../core/store.ts';
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
  readPartition,
  readScheme,
} from './settings.ts';
import { type CredentialSource, fixedSource } from './source.ts';
import { StoredToken } from './token-store.ts';

/** The parts of a scheme. */
interface AuthMethod {
  readonly settings: AuthSettings & { readonly store?: Store | undefined };
  readonly scheme: Scheme;
  readonly source: CredentialSource;
  /** The methods for the application. */
  readonly more?: SignIn;
}

export function createScheme(options: object): AuthMethod {
  switch (readScheme(options)) {
    case 'bearer': {
      const settings = readBearer(options);
      const { token = () => undefined, store } = settings;
      const source = sourceOf(token, settings, store && new StoredToken(settings));
      return { settings, scheme: inAuthorization('Bearer'), source };
    }
    case 'basic': {
      const settings = readBasic(options);
      const source = fixedSource(basic(settings.username, settings.password));
      return { settings, scheme: inAuthorization('Basic'), source };
    }
    case 'api-key': {
      const settings = readApiKey(options);
      const { key, header, query = '' } = settings;
      const scheme = header ? inHeader(header) : inQuery(query);
      return { settings, scheme, source: sourceOf(key, settings) };
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

const sourceOf = (secret: Secret, settings: AuthSettings, stored?: StoredToken): CredentialSource =>
  typeof secret === 'string' ? fixedSource(secret) : dynamicToken(secret, settings, stored);
