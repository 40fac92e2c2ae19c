import { type Cipher, cipherRule, type Store, storeRule } from '../../core/store.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import {
  headerName,
  list,
  oneOf,
  positiveDuration,
  type Rule,
  readOptions,
  size,
  wellFormedString,
} from '../../primitives/validate.ts';
import { origin } from '../retarget.ts';
import type { AuthScheme, CustomOptions, OAuth2Options, Secret } from './options.ts';
import { isSendable } from './schemes.ts';

/** What all schemes have. */
export interface AuthSettings {
  origins: string[];
  user: (() => string | undefined) | undefined;
  bodyLimit: number;
  timeout: number;
}

/** Where tokens are stored. */
export interface TokenStorage {
  store: Store | undefined;
  encryption: Cipher | false | undefined;
  name: string;
}

export interface BearerSettings extends AuthSettings, TokenStorage {
  token: Secret | undefined;
}

export interface BasicSettings extends AuthSettings {
  username: string;
  password: string;
}

export interface ApiKeySettings extends AuthSettings {
  key: Secret;
  header: string | undefined;
  query: string | undefined;
}

export interface OAuth2Settings extends AuthSettings, TokenStorage {
  grant: OAuth2Options['grant'];
  tokenEndpoint: string | undefined;
  clientId: string | undefined;
  clientSecret: string | undefined;
  clientAuthentication: 'basic' | 'body';
  scope: string | undefined;
  parameters: Readonly<Record<string, string>>;
  refreshBefore: number;
}

export interface CustomSettings extends AuthSettings {
  authorize: CustomOptions['authorize'];
  refresh: CustomOptions['refresh'];
}

type Rules<T> = { [K in keyof T]-?: Rule<T[K]> };

const refuse = (option: string, value: unknown, allowed: string): never => {
  throw new ConfigurationError(option, value, allowed);
};

const filled: Rule<string> = (value, option) =>
  wellFormedString(value, option) || refuse(option, value, 'expected text that is not empty');

/** What is wrong with a secret is said without it. */
const hidden: Rule<string> = (value, option) =>
  typeof value === 'string' && isSendable(value)
    ? value
    : refuse(option, '…', 'expected text that a header can carry');

const secret: Rule<Secret> = (value, option) =>
  typeof value === 'function' ? (value as Secret) : hidden(value, option);

const absolute: Rule<string> = (value, option) =>
  typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value)
    ? value
    : refuse(option, value, 'expected an absolute URL');

const texts: Rule<Readonly<Record<string, string>>> = (value, option) =>
  typeof value === 'object' && value && Object.values(value).every((each) => typeof each === 'string')
    ? (value as Record<string, string>)
    : refuse(option, '…', 'expected an object of texts');

const fn: Rule<never> = (value, option) =>
  typeof value === 'function' ? (value as never) : refuse(option, '…', 'expected a function');

const every: Rules<AuthSettings> = {
  origins: list(origin),
  user: fn,
  bodyLimit: size,
  timeout: positiveDuration,
};

const standard = (): AuthSettings => ({
  origins: [],
  user: undefined,
  bodyLimit: 1_000_000,
  timeout: 10_000,
});

/** @throws {ConfigurationError} without any value that may be a secret. */
function read<T extends AuthSettings>(
  given: object,
  rules: Rules<Omit<T, keyof AuthSettings>>,
  own: Partial<Omit<T, keyof AuthSettings>>,
  needed: readonly (keyof T & string)[],
): T {
  const { scheme: _, ...options } = given as Record<string, unknown>;
  const all = { ...every, ...rules } as Rules<T>;
  // A slip in a name must not show the value.
  for (const name in options) if (!Object.hasOwn(all, name)) options[name] = '…';
  const settings = readOptions<T>('auth', options, all, { ...standard(), ...own } as T);
  if (settings.origins.length === 0) refuse('auth.origins', undefined, 'expected at least one origin');
  for (const name of needed)
    if (settings[name] === undefined) refuse(`auth.${name}`, undefined, 'this scheme needs it');
  return settings;
}

const storage: Rules<TokenStorage> = {
  store: storeRule,
  encryption: (value, option) => (value === false ? false : cipherRule(value, option)),
  name: filled,
};

function checkEncryption({ store, encryption }: TokenStorage): void {
  if (store?.durable && encryption === undefined)
    refuse(
      'auth.encryption',
      undefined,
      'tokens are written to the disk: expected encryption such as encryptWith(deviceKey()), or false',
    );
}

export function readBearer(given: object): BearerSettings {
  const settings = read<BearerSettings>(given, { token: secret, ...storage }, {}, []);
  const { token, store, encryption } = settings;
  if (store === undefined) {
    if (token === undefined) refuse('auth.token', undefined, 'this scheme needs it, or a store');
    if (encryption !== undefined) refuse('auth.encryption', '…', 'expected a store beside it');
  } else if (typeof token === 'string') {
    refuse('auth.token', '…', 'expected a function beside a store');
  }
  checkEncryption(settings);
  settings.name ??= settings.origins.join(' ');
  return settings;
}

export function readBasic(given: object): BasicSettings {
  const settings = read<BasicSettings>(
    given,
    {
      // RFC 7617, 2: what stands before the first colon is the name.
      username: (value, option) =>
        filled(value, option).includes(':') ? refuse(option, '…', 'expected no colon') : (value as string),
      password: (value, option) => (typeof value === 'string' ? value : refuse(option, '…', 'expected text')),
    },
    {},
    ['username', 'password'],
  );
  return settings;
}

export function readApiKey(given: object): ApiKeySettings {
  // The key itself may have been given for its name.
  const named: Rule<string> = (value, option) => {
    try {
      return headerName(value, option);
    } catch {
      return refuse(option, '…', 'expected the name of a header');
    }
  };
  const rules = { key: secret, header: named, query: filled };
  const settings = read<ApiKeySettings>(given, rules, {}, ['key']);
  const { header, query } = settings;
  if ((header === undefined) === (query === undefined))
    refuse('auth.header', header, 'expected either a header or a query');
  return settings;
}

export const readCustom = (given: object): CustomSettings =>
  read<CustomSettings>(given, { authorize: fn, refresh: fn }, {}, ['authorize']);

const grants = oneOf('refresh_token', 'client_credentials');

export function readOAuth2(given: object): OAuth2Settings {
  const { grant } = given as Partial<OAuth2Options>;
  const isOwn = typeof grant === 'function';
  const settings = read<OAuth2Settings>(
    given,
    {
      grant: isOwn ? fn : grants,
      tokenEndpoint: absolute,
      clientId: filled,
      clientSecret: (value, option) =>
        typeof value === 'string' ? value : refuse(option, '…', 'expected text'),
      clientAuthentication: oneOf('basic', 'body'),
      scope: filled,
      parameters: texts,
      refreshBefore: positiveDuration,
      ...storage,
    },
    { clientAuthentication: 'basic', parameters: {}, refreshBefore: 60_000 },
    isOwn ? ['grant'] : ['grant', 'tokenEndpoint', 'clientId'],
  );
  const { tokenEndpoint, clientId, clientSecret, origins } = settings;
  if (isOwn && tokenEndpoint !== undefined)
    refuse('auth.tokenEndpoint', tokenEndpoint, 'a function asks by itself');
  if (grant === 'client_credentials' && clientSecret === undefined)
    refuse('auth.clientSecret', undefined, 'this grant needs it');
  checkEncryption(settings);
  settings.name ??= tokenEndpoint ? `${tokenEndpoint} ${clientId}` : origins.join(' ');
  return settings;
}

/** Whose tokens are meant. */
export const readSignIn = (given: object): { partition?: string } =>
  readOptions<{ partition?: string }>('auth', given, { partition: wellFormedString }, {});

export const readScheme: Rule<AuthScheme> = oneOf('bearer', 'basic', 'api-key', 'oauth2', 'custom');
