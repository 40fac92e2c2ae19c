import ky, { type Input, type KyInstance, type Options, type ResponsePromise } from 'ky';
import { BASE_URL, WANTS_BODY } from '../../core/entry.ts';
import { ConfigurationError, NetworkError } from '../../core/errors.ts';
import { asyncDispose, type HoldfastFetch } from '../../core/pipeline.ts';
import { type CreateFetchOptions, createFetch } from '../fetch.ts';
import type { FetchOptions } from '../standard.ts';
import { asKys } from './errors.ts';
import { retrying } from './hooks.ts';
import { limitOf, withTotal } from './limits.ts';
import { type ClientOptions, type CreateClientOptions, OURS, plainForKy } from './options.ts';
import { answering } from './shortcuts.ts';
import { prepared, translation } from './translate.ts';

/** A ky instance whose requests go through the policies. */
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
  /** Ends what is held of the current user, in all tabs: outbox, cached responses and tokens. */
  signOut: HoldfastFetch<FetchOptions>['signOut'];
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * ky's face over the policies: every ky option as ky means it, but for the table in `docs/ky.md`.
 *
 * @throws {ConfigurationError} on options of the policies that cannot be meant.
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
  const { timeout, totalTimeout, retry } = options;
  const limits = withTotal(timeout, totalTimeout);
  const pipeline = createFetch({
    ...ours,
    [BASE_URL]: `${options.baseUrl ?? ''} ${options.prefix ?? ''}`.trim(),
    ...(limits !== undefined && { timeout: limits }),
    ...(retry !== undefined && { retry: retrying(retry, [], theirs as Options) }),
  } as CreateFetchOptions);

  // Those stay in the pipeline: what a call or `extend` says comes on top of them there.
  for (const name of ['timeout', 'totalTimeout', 'retry']) delete theirs[name];
  const fetch = bridge(pipeline);
  return face(ky.create({ ...plainForKy(theirs), fetch } as Options), {
    pipeline,
    fetch,
    forced: limitOf(retry, 2),
  });
}

const METHODS = ['get', 'post', 'put', 'patch', 'head', 'delete', 'query'] as const;

/** What all instances of one client have in common. */
interface Shared {
  readonly pipeline: HoldfastFetch<FetchOptions>;
  /** The pipeline as ky calls it. */
  readonly fetch: Options['fetch'];
  /** How often `ky.retry()` works where a call does not say. */
  readonly forced: number;
}

function face(base: KyInstance, shared: Shared): Client {
  const { pipeline, fetch, forced } = shared;
  const translate = translation(forced, fetch);
  const through =
    (target: KyInstance | KyInstance['get']) =>
    (input: Input, options: ClientOptions = {}) => {
      // What `extend` said is known only when ky has put all options together.
      let outbox: ClientOptions['outbox'];
      let own: { [WANTS_BODY]?: true } = {};
      const observed = (settled: Options): void => {
        ({ outbox } = settled as ClientOptions);
        own = translate(settled);
      };
      const wholeBody = (): void => {
        own[WANTS_BODY] = true;
      };
      return answering((target as KyInstance)(input, prepared(options, observed)), () => outbox, wholeBody);
    };
  const added = (defaults: ClientOptions): Options => {
    // A parent's options, as ky shows them to a function, have our fetch among them.
    const { fetch: own, ...rest } = defaults as Options;
    return plainForKy(own === fetch ? rest : defaults) as Options;
  };
  return Object.assign(through(base), {
    ...Object.fromEntries(METHODS.map((method) => [method, through(base[method] as KyInstance['get'])])),
    create: (defaults: ClientOptions = {}) =>
      face(ky.create({ fetch, ...added(anObject(defaults)) } as Options), shared),
    extend: (defaults: ClientOptions | ((parent: Partial<Options>) => ClientOptions)) =>
      face(
        base.extend(
          typeof defaults === 'function'
            ? (parent: Partial<Options>) => added(defaults(parent))
            : added(anObject(defaults)),
        ),
        shared,
      ),
    stop: base.stop,
    retry: base.retry,
    fetch: pipeline,
    configure: pipeline.configure,
    signOut: pipeline.signOut,
    close: pipeline.close,
    [asyncDispose]: pipeline.close,
  }) as unknown as Client;
}

/** @throws {TypeError} as ky does. */
function anObject(options: ClientOptions): ClientOptions {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options;
  throw new TypeError('The `options` argument must be an object');
}

/** ky's guards hold for our errors: a network failure is ky's own, with our facts on it. */
const bridge =
  (pipeline: HoldfastFetch<FetchOptions>) =>
  async (input: Input, init?: RequestInit): Promise<Response> => {
    try {
      return await pipeline(input, init);
    } catch (error) {
      throw error instanceof NetworkError ? asKys(error, input as Request) : error;
    }
  };
