import ky, {
  type Hooks,
  HTTPError,
  type Input,
  type KyInstance,
  NetworkError as KyNetworkError,
  type Options,
  type ResponsePromise,
  SchemaValidationError,
} from 'ky';
import { categoryOf } from '../core/category.ts';
import { isNamed } from '../core/contract.ts';
import { type Duration, milliseconds } from '../core/durations.ts';
import { BASE_URL, type OrUndefined, TRANSPORT, WANTS_BODY } from '../core/entry.ts';
import { ConfigurationError, equipped, type Failure, HoldfastError, NetworkError } from '../core/errors.ts';
import { outcomeOf } from '../core/outcome.ts';
import { asyncDispose, type HoldfastFetch, type PipelineOptions } from '../core/pipeline.ts';
import { isQueued } from '../core/source.ts';
import { isProblem, problemFrom } from '../http/problem.ts';
import type { CallFallback } from '../policies/fallback.ts';
import type { RetryOptions, RetryState } from '../policies/retry/options.ts';
import type { TimeoutOptions } from '../policies/timeout.ts';
import { type CreateFetchOptions, createFetch, type Partitioned } from './fetch.ts';
import { type FetchOptions, IMPORTED, OF_PIPELINE, type StandardOptions } from './standard.ts';

/** ky's options of one call, with those of the policies at the top level. */
export type ClientOptions = OrUndefined<Omit<Options, 'timeout' | 'retry' | 'totalTimeout'>> &
  Omit<FetchOptions, 'retry'> &
  KyTiming;

interface KyTiming {
  /** Ours, or a ky `retry` object unchanged. */
  readonly retry?: FetchOptions['retry'] | OrUndefined<Options['retry']> | undefined;
  /** As `timeout: { total }`. */
  readonly totalTimeout?: TimeoutOptions['total'] | undefined;
}

export type CreateClientOptions = Omit<Options, 'timeout' | 'retry' | 'totalTimeout' | 'fetch'> &
  Omit<StandardOptions, 'retry'> &
  PipelineOptions<FetchOptions> &
  Partitioned &
  KyTiming;

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

/** A write was accepted and has no result yet; nothing is wrong. `outbox.result(id)` gives it when it comes. */
export class QueuedError extends HoldfastError {
  override name = 'QueuedError';
  declare readonly id: string;

  constructor(id: string) {
    super(`the write is kept as ${id} and has no result yet`, {
      code: 'queued',
      category: 'unknown',
      transient: true,
    });
    Object.assign(this, { id });
  }
}

/** What a call may say of policies, besides `timeout` and `retry`, which are ky's names, too. */
const PER_CALL: readonly string[] = ['breaker', ...IMPORTED, 'operation', 'waitUntil'];

/** What is ours alone: it makes the pipeline and never enters ky's options, whose deep merge would break it. */
const OURS: readonly string[] = [...new Set([...PER_CALL, ...OF_PIPELINE])];

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

/** Of these a call may say more than yes or no. */
const WITH_OPTIONS = ['staleCache', 'outbox', 'strategies', 'fallback', 'bulkhead'];

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

/** ky's own class, with our facts; its cause is the platform's error, as in ky. */
function asKys(error: NetworkError, request: Request): KyNetworkError {
  const { code, category, transient, callId, origin, attempts, retryAt } = error as NetworkError & Failure;
  const cause = (error.cause as Error | undefined) ?? error;
  const facts = { code, category, transient, callId, origin, attempts, retryAt };
  return equipped(new KyNetworkError(request, { cause }), facts);
}

/**
 * A queued write must not pass for the resource it will become.
 *
 * @param wholeBody Called if the whole body is wanted, before ky sends.
 */
function answering(
  promise: ResponsePromise,
  settled: () => ClientOptions['outbox'],
  wholeBody: () => void,
): ResponsePromise {
  const shortcuts = promise as unknown as Record<string, (schema?: unknown) => Promise<unknown>>;
  for (const type of ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes']) {
    const native = shortcuts[type];
    if (!native) continue;
    shortcuts[type] = async (schema) => {
      wholeBody();
      // At once: ky sets `Accept` by it before it sends.
      const value = native(schema);
      value.catch(() => {});
      const response = await promise;
      if (!isQueued(response)) return value.catch((error) => refused(error, response));
      const outbox = settled();
      if (typeof outbox === 'object' && 'optimisticResult' in outbox) return outbox.optimisticResult;
      throw new QueuedError(idOf(response));
    };
  }
  return promise;
}

/** A response that the schema refuses is the origin's fault. */
function refused(error: unknown, response: Response): never {
  if (!(error instanceof SchemaValidationError)) throw error;
  throw equipped(error, { code: 'parse', category: 'parse', ...outcomeOf(response) });
}

/** The options of a call for ky: ours as plain data, and our translation after every other init hook. */
function prepared(options: ClientOptions, translate: (options: Options) => void): Options {
  const plain = plainForKy(options);
  const hooks = plain.hooks as Partial<Hooks> | undefined;
  return { ...plain, hooks: { ...hooks, init: [...(hooks?.init ?? []), translate] } } as Options;
}

/** Of our options, those that are functions in a call, too. */
const FUNCTIONS = ['waitUntil', 'fetch'];

/**
 * Refuses policy values, which ky's deep merge would turn into `{}`, and makes harmless what it would merge wrongly:
 * `true` over an object erases the object, so it becomes `{}`.
 */
function plainForKy(options: object): Record<string, unknown> {
  const plain: Record<string, unknown> = { ...options };
  // It would hide what `extend` said.
  for (const name in plain) if (plain[name] === undefined) delete plain[name];
  for (const name of OURS) {
    if ((typeof plain[name] === 'function' || isNamed(plain[name])) && !FUNCTIONS.includes(name))
      throw new ConfigurationError(
        name,
        plain[name],
        'it is given to createClient; calls and extend() take options only',
      );
    if (plain[name] === true && WITH_OPTIONS.includes(name)) plain[name] = {};
  }
  const fallback = plain.fallback as CallFallback | undefined;
  // A function passes the merge as it is; a response or an instance would not.
  if (typeof fallback?.with === 'object' && fallback.with) {
    const answer = fallback.with;
    plain.fallback = { ...fallback, with: () => (answer instanceof Response ? answer.clone() : answer) };
  }
  return plain;
}

/** Takes what the pipeline carries out from ky's hands, per call, when every other hook has spoken. */
const translation =
  (forced: number, pipeline: Options['fetch']) =>
  (given: Options): object => {
    const options = given as Record<string, unknown>;
    // Said as to the plain fetch, which is as good.
    const holdfast: Record<string | symbol, unknown> = { ...(options.holdfast as object | undefined) };
    // The fetch of one call is its transport: it is inside the policies.
    if (given.fetch && given.fetch !== pipeline) holdfast[TRANSPORT] = given.fetch;
    options.fetch = pipeline;
    for (const name of PER_CALL) {
      if (options[name] !== undefined) holdfast[name] = options[name];
      delete options[name];
    }
    const limits = withTotal(options.timeout, options.totalTimeout);
    if (limits !== undefined) holdfast.timeout = limits;
    const { retry, hooks } = given;
    const { beforeRetry = [] } = hooks ?? {};
    const spoken = retrying(retry, beforeRetry, given);
    if (spoken !== undefined) holdfast.retry = spoken;
    given.hooks = {
      ...hooks,
      ...(beforeRetry.length > 0 && { beforeRetry: [stopIfStopped, ...beforeRetry] }),
      beforeError: [withFacts, ...(hooks?.beforeError ?? [])],
    };
    Object.assign(options, {
      holdfast,
      timeout: false,
      totalTimeout: false,
      // Forced retries are ky's; all others are the pipeline's.
      retry: {
        limit: limitOf(retry, forced),
        shouldRetry: ({ error }: { error: Error }) => error instanceof StoppedError,
      },
    });
    return holdfast;
  };

/** An answer that ky makes an error has the facts of every other error, and what the server says of the problem. */
const withFacts: NonNullable<Hooks['beforeError']>[number] = ({ error }) => {
  if (!(error instanceof HTTPError)) return error;
  const { response, data } = error;
  const category = categoryOf(response);
  if (isProblem(response)) Object.assign(error, { problem: problemFrom(data) });
  return equipped(error, {
    code: `http-${response.status}`,
    category: category ?? 'unknown',
    transient: category === 'server' || category === 'rate-limit' || category === 'timeout',
    ...outcomeOf(response),
  });
};

/** ky's `timeout` is the attempt's, `totalTimeout` the call's. The smaller counts: each may be said in another place. */
function withTotal(timeout: unknown, total: unknown): FetchOptions['timeout'] {
  if (total === undefined) return timeout as FetchOptions['timeout'];
  const rest = typeof timeout === 'object' ? timeout : timeout === undefined ? {} : { attempt: timeout };
  const { attempt } = rest as { attempt?: unknown };
  const isLonger = isDuration(attempt) && isDuration(total) && msOf(attempt) > msOf(total);
  return { ...rest, ...(isLonger && { attempt: total }), total } as FetchOptions['timeout'];
}

const isDuration = (value: unknown): value is Duration =>
  typeof value === 'number' || typeof value === 'string';

const msOf = (value: Duration): number => milliseconds(value, 'timeout');

const limitOf = (retry: unknown, standard: number): number => {
  if (retry === false) return 0;
  const limit =
    typeof retry === 'object' ? (retry as { limit?: number }).limit : (retry as number | undefined);
  return limit ?? standard;
};

/** ky's `shouldRetry` and `beforeRetry` get what ky would give them. */
function retrying(retry: unknown, hooks: NonNullable<Hooks['beforeRetry']>, options: Options): unknown {
  const own = typeof retry === 'object' ? (retry as RetryOptions) : retry === undefined ? {} : undefined;
  if (!own && hooks.length === 0) return retry;
  const { shouldRetry } = own ?? {};
  if (hooks.length === 0 && !shouldRetry) return retry;
  const explained = ({ request, response, error, retryCount }: RetryState) => ({
    request,
    retryCount,
    options: options as never,
    error:
      error instanceof NetworkError
        ? asKys(error, request)
        : (error ?? (new HTTPError(response as never, request as never, options as never) as Error)),
  });
  return {
    ...(own ?? { limit: limitOf(retry, 0) }),
    // ky asks only of failures.
    ...(shouldRetry && {
      shouldRetry: (state: RetryState) =>
        state.response?.ok ? undefined : shouldRetry(explained(state) as never),
    }),
    ...(hooks.length > 0 && {
      beforeRetry: async (state: RetryState) => {
        for (const hook of hooks) {
          const word = await hook(explained(state) as never);
          if (word === ky.stop) throw new StoppedError();
          if (word instanceof Request || word instanceof Response) return word;
        }
        return undefined;
      },
    }),
  };
}

/** A `beforeRetry` hook of one of our retries returned `ky.stop`; ky is told so at its own next chance. */
class StoppedError extends Error {}

const stopIfStopped: NonNullable<Hooks['beforeRetry']>[number] = ({ error }) =>
  error instanceof StoppedError ? ky.stop : undefined;

const idOf = (queued: Response): string => decodeURIComponent(queued.headers.get('holdfast-outbox-id') ?? '');
