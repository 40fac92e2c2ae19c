import { cipherRule, storeRule } from '../../core/store.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import {
  headerName,
  list,
  oneOf,
  positiveDuration,
  type Rule,
  readSettings,
  type SettingsOf,
  type SettingsTable,
  settingsTable,
  size,
  wellFormedString,
} from '../../primitives/validate.ts';
import { origin } from '../retarget.ts';
import type { AuthScheme, CustomOptions, OAuth2Options, Secret } from './options.ts';
import { isSendable } from './schemes.ts';

const refuse = (option: string, value: unknown, allowed: string): never => {
  throw new ConfigurationError(option, value, allowed);
};

/** Errors about a value that may be a secret leave it out. */
const hidden =
  <T>(what: string, isSo: (value: T) => boolean): Rule<T> =>
  (value, option) =>
    isSo(value as T) ? (value as T) : refuse(option, '…', `expected ${what}`);

const fn = <T>(): Rule<T> => hidden('a function', (value) => typeof value === 'function');

const text = /* @__PURE__ */ hidden<string>('text', (value) => typeof value === 'string');

const filled: Rule<string> = (value, option) =>
  wellFormedString(value, option) || refuse(option, value, 'expected text that is not empty');

const secret = /* @__PURE__ */ hidden<Secret>(
  'text that a header can carry',
  (value) => typeof value === 'function' || (typeof value === 'string' && isSendable(value)),
);

const absolute: Rule<string> = (value, option) =>
  typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value)
    ? value
    : refuse(option, value, 'expected an absolute URL');

/** In place of a default. */
const MISSING: unknown = {};

const needed = <T>(rule: Rule<T>) => [MISSING as T, rule] as const;

const every = /* @__PURE__ */ settingsTable({
  origins: [[], list(origin)],
  user: [undefined, fn<() => string | undefined>()],
  bodyLimit: [1_000_000, size],
  timeout: [10_000, positiveDuration],
});

const storage = /* @__PURE__ */ settingsTable({
  store: [undefined, storeRule],
  encryption: [undefined, (value, option) => (value === false ? false : cipherRule(value, option))],
  /** Empty: derived from the others. */
  name: ['', filled],
});

/** The settings of all schemes. */
export type AuthSettings = SettingsOf<typeof every>;
/** Where tokens are stored. */
export type TokenStorage = SettingsOf<typeof storage>;
export type BearerSettings = ReturnType<typeof readBearer>;
export type CustomSettings = ReturnType<typeof readCustom>;
export type OAuth2Settings = ReturnType<typeof readOAuth2>;

export function readScheme(options: object): AuthScheme {
  const { scheme } = (options ?? {}) as { scheme?: unknown };
  return oneOf('bearer', 'basic', 'api-key', 'oauth2', 'custom')(scheme, 'auth.scheme');
}

/** Reads the options of all schemes and those of one. @throws {ConfigurationError} without any value that may be a secret. */
function read<T>(given: object, own: SettingsTable<T>): T & AuthSettings {
  const { scheme: _, ...options } = given as Record<string, unknown>;
  const table = { ...every, ...own } as SettingsTable<T & AuthSettings>;
  // A slip in a name must not show the value.
  for (const name in options) if (!Object.hasOwn(table, name)) options[name] = '…';
  const settings = readSettings('auth', table, options);
  if (settings.origins.length === 0) refuse('auth.origins', undefined, 'expected at least one origin');
  for (const [name, value] of Object.entries(settings))
    if (value === MISSING) refuse(`auth.${name}`, undefined, 'this scheme needs it');
  return settings;
}

function checkEncryption({ store, encryption }: TokenStorage): void {
  if (store?.durable && encryption === undefined)
    refuse(
      'auth.encryption',
      undefined,
      'tokens are written to the disk: expected encryption such as encryptWith(deviceKey()), or false',
    );
}

export function readBearer(given: object) {
  const settings = read(given, { ...storage, token: [undefined, secret] });
  const { token, store, encryption } = settings;
  if (store === undefined) {
    if (token === undefined) refuse('auth.token', undefined, 'this scheme needs it, or a store');
    if (encryption !== undefined) refuse('auth.encryption', '…', 'expected a store beside it');
  } else if (typeof token === 'string') {
    refuse('auth.token', '…', 'expected a function beside a store');
  }
  checkEncryption(settings);
  settings.name ||= settings.origins.join(' ');
  return settings;
}

export function readBasic(given: object) {
  // RFC 7617, 2: the name ends at the first colon.
  const username: Rule<string> = (value, option) =>
    filled(value, option).includes(':') ? refuse(option, '…', 'expected no colon') : (value as string);
  return read(given, { username: needed(username), password: needed(text) });
}

export function readApiKey(given: object) {
  const name: Rule<string> = (value, option) => {
    try {
      return headerName(value, option);
    } catch {
      // The key itself may have been given for its name.
      return refuse(option, '…', 'expected the name of a header');
    }
  };
  const settings = read(given, {
    key: needed(secret),
    header: [undefined, name],
    query: [undefined, filled],
  });
  const { header, query } = settings;
  if ((header === undefined) === (query === undefined))
    refuse('auth.header', header, 'expected either a header or a query');
  return settings;
}

export const readCustom = (given: object) =>
  read(given, {
    authorize: needed(fn<CustomOptions['authorize']>()),
    refresh: [undefined, fn<CustomOptions['refresh']>()],
  });

export function readOAuth2(given: object) {
  const grants = oneOf('refresh_token', 'client_credentials');
  const parameters = hidden<Readonly<Record<string, string>>>(
    'an object of texts',
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((each) => typeof each === 'string'),
  );
  const isOwn = typeof (given as Partial<OAuth2Options>).grant === 'function';
  const settings = read(given, {
    ...storage,
    grant: needed<OAuth2Options['grant']>((value, option) =>
      typeof value === 'function' ? (value as never) : grants(value, option),
    ),
    tokenEndpoint: isOwn ? [undefined, absolute] : needed(absolute),
    clientId: isOwn ? [undefined, filled] : needed(filled),
    clientSecret: [undefined, text],
    clientAuthentication: ['basic', oneOf('basic', 'body')],
    scope: [undefined, filled],
    parameters: [{}, parameters],
    refreshBefore: [60_000, positiveDuration],
  });
  const { grant, tokenEndpoint, clientId, clientSecret, origins } = settings;
  if (isOwn && tokenEndpoint !== undefined)
    refuse('auth.tokenEndpoint', tokenEndpoint, 'a function asks by itself');
  if (grant === 'client_credentials' && clientSecret === undefined)
    refuse('auth.clientSecret', undefined, 'this grant needs it');
  checkEncryption(settings);
  settings.name ||= tokenEndpoint ? `${tokenEndpoint} ${clientId}` : origins.join(' ');
  return settings;
}

/** The user to sign in or out. */
export const readPartition = (given: object = {}): string | undefined =>
  readSettings('auth', { partition: [undefined, wellFormedString] }, given).partition;
