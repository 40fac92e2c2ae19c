import ky, { type Hooks, type Input, type KyInstance, type Options, type ResponsePromise } from 'ky';
import { asyncDispose } from '../../core/lifecycle.ts';
import { BASE_URL } from '../../core/normalize-request.ts';
import type { HoldfastFetch } from '../../core/pipeline.ts';
import { asRetryOptions } from '../../policies/retry/options.ts';
import { systemClock } from '../../primitives/clock.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { type CreateFetchOptions, createFetch } from '../fetch.ts';
import type { FetchOptions } from '../standard.ts';
import { KyCall } from './call.ts';
import { asking } from './errors.ts';
import { REMEMBERING } from './hooks.ts';
import {
  bodyTimeOf,
  type ClientOptions,
  type CreateClientOptions,
  limitsOf,
  OURS,
  onlyKys,
  plainForKy,
} from './options.ts';
import { signalled } from './requests.ts';
import { withShortcuts } from './shortcuts.ts';
import type { ClientLevel, ClientSettings, Shared } from './state.ts';
import { translate } from './translate.ts';

/** A ky instance that sends its requests through the policies. */
export interface Client extends KyInstance {
  <T>(url: Input, options?: ClientOptions): ResponsePromise<T>;
  get: <T>(url: Input, options?: ClientOptions) => ResponsePromise<T>;
  post: <T>(url: Input, options?: ClientOptions) => ResponsePromise<T>;
  put: <T>(url: Input, options?: ClientOptions) => ResponsePromise<T>;
  delete: <T>(url: Input, options?: ClientOptions) => ResponsePromise<T>;
  patch: <T>(url: Input, options?: ClientOptions) => ResponsePromise<T>;
  head: (url: Input, options?: ClientOptions) => ResponsePromise;
  /** Another instance with these defaults on the same policies: state is shared. */
  create: (defaults?: ClientOptions) => Client;
  /** Another instance with these defaults added, on the same policies: state is shared. */
  extend: (defaults: ClientOptions | ((parent: Partial<Options>) => ClientOptions)) => Client;
  /** The pipeline, as a fetch without ky. */
  readonly fetch: HoldfastFetch<FetchOptions>;
  configure: HoldfastFetch<FetchOptions>['configure'];
  /** Tells every decision from now on, as `onEvent` does. */
  subscribe: HoldfastFetch<FetchOptions>['subscribe'];
  /** Clears the current user's outbox, cached responses and tokens, in all tabs. */
  signOut: HoldfastFetch<FetchOptions>['signOut'];
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * ky's face over the policies: every ky option as ky means it, but for the table in `docs/ky.md`.
 *
 * @throws {ConfigurationError} on options of the policies that cannot be meant.
 *
 * @example
 * const api = createClient({ baseUrl: 'https://api.example.com/', timeout: '5s' });
 * const items = await api.get('items').json<string[]>();
 */
export function createClient(options: CreateClientOptions = {}): Client {
  const ours: Record<string, unknown> = {};
  const theirs: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    (OURS.includes(name) ? ours : theirs)[name] = value;
    // ky takes names that it does not know for the fetch's own, so a slip would pass unseen.
    const meant = OURS.find((own) => own !== name && own.toLowerCase() === name.toLowerCase());
    if (meant) throw new ConfigurationError(name, value, `do you mean ${meant}?`);
  }
  const { timeout, totalTimeout, retry, host, fetch } = options;
  const limits = limitsOf(timeout, totalTimeout);
  const { shouldRetry, ...plan } = asRetryOptions(retry);
  const pipeline = createFetch({
    ...ours,
    ...(typeof fetch === 'function' && { fetch: signalled(fetch) }),
    [BASE_URL]: `${options.baseUrl ?? ''} ${options.prefix ?? ''}`.trim(),
    timeout: timeout === false && totalTimeout === undefined ? false : limits,
    retry: retry === false ? false : { ...plan, ...(shouldRetry && { shouldRetry: asking(shouldRetry) }) },
  } as CreateFetchOptions);
  const shared: Shared = {
    pipeline,
    clock: host?.clock ?? systemClock,
    queues: options.outbox !== undefined,
    joins: options.dedupe !== undefined || options.staleCache !== undefined,
    client: { retry: asRetryOptions(retry), limits, bodyTime: bodyTimeOf(timeout) },
  };
  return face(ky.create(plainForKy(theirs) as Options), shared);
}

const METHODS = ['get', 'post', 'put', 'patch', 'head', 'delete', 'query'] as const;

/** @param base Has all options as they were given. */
function face(base: KyInstance, shared: Shared): Client {
  const { pipeline, client } = shared;
  const instance = translated(base, client);
  const { direct, given } = instance;
  const through =
    (target: KyInstance | KyInstance['get'], direct: KyInstance | KyInstance['get'] | undefined) =>
    (input: Input, options: ClientOptions = {}) => {
      const plain = direct && onlyKys(options);
      const hasSignal = isARequest(input) || Boolean(options.signal);
      const call = new KyCall(shared, instance.settings, hasSignal);
      const hooks = plain && ('json' in plain || 'body' in plain) ? { hooks: REMEMBERING } : undefined;
      call.mayHaveBody = hooks !== undefined || isARequest(input);
      const promise = plain
        ? (direct as KyInstance)(input, Object.assign(plain, { holdfast: call }, hooks) as Options)
        : (target as KyInstance)(input, prepared(options, call, given));
      return withShortcuts(promise, call);
    };
  const added = (defaults: ClientOptions, outer?: Options): Options =>
    plainForKy(anObject(defaults), outer) as Options;
  return Object.assign(through(base, direct), {
    ...Object.fromEntries(
      METHODS.map((method) => [
        method,
        through(base[method] as KyInstance['get'], direct?.[method] as KyInstance['get'] | undefined),
      ]),
    ),
    create: (defaults: ClientOptions = {}) => face(ky.create(added(defaults)), shared),
    extend: (defaults: ClientOptions | ((parent: Partial<Options>) => ClientOptions)) =>
      face(
        base.extend(
          typeof defaults === 'function'
            ? (parent: Partial<Options>) => added(defaults(parent), given)
            : added(defaults, given),
        ),
        shared,
      ),
    stop: base.stop,
    retry: base.retry,
    fetch: pipeline,
    configure: pipeline.configure,
    subscribe: pipeline.subscribe,
    signOut: pipeline.signOut,
    close: pipeline.close,
    [asyncDispose]: pipeline.close,
  }) as unknown as Client;
}

/**
 * An instance, translated once; its calls then cost no more than ky's own.
 *
 * @returns no `direct` instance if there are init hooks: they see the options as they were given, at each call.
 */
function translated(
  base: KyInstance,
  client: ClientLevel,
): { given: Options; settings: ClientSettings; direct?: KyInstance } {
  let given: Options = {};
  base.extend((defaults) => {
    given = defaults;
    return {};
  });
  const { settings, theirs } = translate(given, client);
  return { given, settings, ...(!given.hooks?.init?.length && { direct: ky.create(theirs as Options) }) };
}

/** The options of a call for ky, and their translation after every other init hook. */
function prepared(options: ClientOptions, call: KyCall, given: Options): Options {
  const plain = plainForKy(options, given) as Options;
  const translation = (all: Options): void => {
    const { settings, theirs } = translate(all, call.shared.client);
    call.settings = settings;
    for (const name of Object.keys(all)) if (!(name in theirs)) delete all[name as keyof Options];
    Object.assign(all, theirs, { holdfast: call });
  };
  const hooks: Partial<Hooks> | undefined = plain.hooks;
  return { ...plain, hooks: { ...hooks, init: [...(hooks?.init ?? []), translation] } };
}

const isARequest = (input: Input): boolean => typeof input === 'object' && !(input instanceof URL);

/** @throws {TypeError} as ky does. */
function anObject(options: ClientOptions): ClientOptions {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options;
  throw new TypeError('The `options` argument must be an object');
}
