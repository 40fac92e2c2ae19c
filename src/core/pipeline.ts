import { createAborter, ShutdownSignal } from '../primitives/abort.ts';
import { Emitter } from '../primitives/emitter.ts';
import { type Match, matches, originOf } from '../primitives/request.ts';
import { expected, isObject, ofType, urlMatchRule, wellFormedString } from '../primitives/validate.ts';
import { checkOptions, checkPlace, knownOf, said, settledOptions } from './call-options.ts';
import {
  type BackgroundCall,
  type Call,
  type CallOptions,
  type Capabilities,
  type Host,
  type PipelineContext,
  type Policy,
  type SignedOut,
  type SignOutOptions,
  traitsOf,
  type Users,
} from './contract.ts';
import { EVERYTHING } from './define-policy.ts';
import { ClosedError } from './errors.ts';
import type { HoldfastEvent } from './events.ts';
import { systemHost } from './host.ts';
import { asyncDispose, linked, perform } from './lifecycle.ts';
import {
  BASE_URL,
  CALL_FACTS,
  type HoldfastInit,
  normalizeRequest,
  type WithCallFacts,
} from './normalize-request.ts';
import { composeStages } from './run/compose.ts';
import type { Start } from './run/segment.ts';
import { type Fetch, NOTHING, Transport, wrappedFetches } from './transport.ts';

/** Options for the calls to some URLs. Later routes win over earlier ones. */
export type Route<Options extends object = CallOptions> = Options & { readonly match: Match };

export interface PipelineOptions<Options extends object = CallOptions> {
  /** Tells pipelines apart where they share a store. Default `'default'`. */
  readonly name?: string | undefined;
  /** The transport. Default: the platform's `fetch`, looked up at each call. */
  readonly fetch?: Fetch | undefined;
  /** Time, chance and connectivity. Default: the platform's. */
  readonly host?: Partial<Host> | undefined;
  /**
   * The user of the calls: an id of the signed-in user, or `'public'`. Needed by caches and queues. A function is asked at
   * each call; `undefined` means that no user is signed in.
   */
  readonly partition?: string | (() => string | undefined) | undefined;
  /** Called with every decision. It cannot fail a call. */
  readonly onEvent?: ((event: HoldfastEvent) => void) | undefined;
  readonly routes?: readonly Route<Options>[] | undefined;
  /** Takes work that outlives a response; in workers `ctx.waitUntil`. May also come with a call. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined;
  /** @internal */
  readonly [BASE_URL]?: string;
}

/** A fetch with policies around it. */
export interface HoldfastFetch<Options extends object = CallOptions> {
  (input: Request | string | URL, init?: HoldfastInit<Options>): Promise<Response>;
  /** Changes options for all calls from now on, state kept. A `false` wins over what a call says. */
  configure(options: Options): void;
  /**
   * Tells `listener` every decision from now on, as `onEvent` does. It cannot fail a call.
   *
   * @returns ends the subscription.
   */
  subscribe(listener: (event: HoldfastEvent) => void): () => void;
  /**
   * Ends what is held of the current user, in all tabs: outbox, cached responses and tokens, in that order. Resolves with
   * counts; all of them 0 if no user is signed in.
   *
   * @throws {ConfigurationError} if there is an outbox and `undelivered` is not named.
   * @throws {StorageError} if a store failed; the others have still been asked.
   */
  signOut(options?: SignOutOptions): Promise<SignedOut>;
  /** Ends background work and calls under way, and gives back timers, listeners, locks and connections. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Puts policies around a transport.
 *
 * @param policies Outermost first: the order of the array is the order of execution.
 * @throws {ConfigurationError} if a policy needs a partition and none is named.
 *
 * @example
 * const fetch = pipeline([totalTimeout('20s'), retry(), attemptTimeout('3s')], { name: 'reports' });
 */
export const pipeline = <Options extends object = CallOptions>(
  policies: readonly Policy[],
  options: PipelineOptions<Options> = {},
): HoldfastFetch<Options> => createPipeline(policies, options, EVERYTHING);

/** The users of a pipeline with no policy that asks for them. */
const NO_USERS: Users = {
  current: () => '',
  facts: { partition: () => '', isPartitionConstant: true, userChanges: () => 0, credentials: () => [] },
};

/** @param capabilities Besides those that the policies bring. */
export function createPipeline<Options extends object>(
  policies: readonly Policy[],
  options: PipelineOptions<Options>,
  capabilities: Capabilities,
): HoldfastFetch<Options> {
  const { name = 'default', onEvent, routes = [], waitUntil = () => {} } = options;
  const known = knownOf(policies);
  const able = Object.assign({}, capabilities, ...policies.map((policy) => traitsOf(policy).brings));
  const { compose = composeStages, users: usersOf = () => NO_USERS, Background } = able as Capabilities;
  const users = usersOf(policies, options.partition);
  /** What holds for many calls is read at once: a mistake in it shows before the first of them. */
  const checkForAll = (given: CallOptions, place?: string): void => {
    checkOptions(given, known, place);
    for (const policy of policies) {
      const { option, read } = traitsOf(policy);
      if (given[option]) read?.(given[option]);
    }
  };
  const rules = expected('a list', Array.isArray(routes), routes, 'routes').map((given, at) => {
    const { match, ...route } = expected('an object with a match', isObject(given), given, 'routes');
    urlMatchRule(match, 'routes.match');
    checkForAll(route, `routes[${at}].`);
    return { match, options: said(route) };
  });
  wellFormedString(name, 'name');
  if (typeof options.partition !== 'function') wellFormedString(options.partition ?? '', 'partition');
  for (const [option, value] of Object.entries({ waitUntil, fetch: options.fetch }))
    if (value !== undefined) ofType('function')(value, option);

  const host: Host = { ...systemHost, ...options.host };
  const closing = new ShutdownSignal();
  const background = Background && new Background();
  let overall: CallOptions = {};
  let calls = 0;
  let prefix: string | undefined;

  const events = new Emitter<HoldfastEvent>();
  const emit = (event: HoldfastEvent): void => events.emit(event);
  if (onEvent) events.subscribe(onEvent, 'onEvent');
  const registering = (taken: typeof waitUntil) => background?.registering(taken) ?? taken;
  const registersByDefault = registering(waitUntil);

  const newCall = (of: NewCall): Call => {
    const { options = overall } = of;
    // A Worker has no random numbers while it starts.
    prefix ??= host.random().toString(36).slice(2, 10);
    return {
      id: `${prefix}-${++calls}`,
      origin: of.origin,
      partition: of.partition ?? '',
      isSignedOut: of.partition === undefined,
      userChanges: users.facts.userChanges(),
      attempt: 1,
      signal: of.signal ?? (host.canShareIO ? closing.signal : createAborter().signal),
      options,
      init: of.init ?? NOTHING,
      host,
      attempts: [],
      // Without a listener, a call builds no event.
      emit: events.hasListeners ? emit : undefined,
      waitUntil: options.waitUntil ? registering(options.waitUntil as typeof waitUntil) : registersByDefault,
    };
  };

  const context: PipelineContext = {
    name,
    baseUrl: options[BASE_URL] ?? '',
    host,
    get signal() {
      return closing.signal;
    },
    onClose: (listener) => void closing.subscribe(listener),
    emit,
    ...users.facts,
    background: (of) => newCall({ ...of, options: settled(of.options, of.url ?? '') }),
  };

  const transport = new Transport(options.fetch);
  const start = composed();

  function composed(): Start {
    try {
      return compose(policies, transport, context, able);
    } catch (error) {
      // Those that were made before it have timers and names.
      closing.close(new ClosedError());
      throw error;
    }
  }

  const settled = (own: CallOptions | undefined, url: string): CallOptions =>
    settledOptions(
      overall,
      url && rules.length > 0
        ? rules.flatMap(({ match, options }) => (matches(match, url) ? [options] : []))
        : [],
      own,
    );

  const fetch = (input: Request | string | URL, init?: HoldfastInit<Options>): Promise<Response> => {
    try {
      const platforms = transport.again(init?.signal);
      if (platforms) return platforms(input, init as RequestInit);
      if (closing.isClosed) throw new ClosedError();
      const own = init?.holdfast as (CallOptions & WithCallFacts) | undefined;
      if (own !== undefined) checkOptions(own, known);
      const { outgoing, signal, init: extra } = normalizeRequest(input, init as HoldfastInit | undefined);
      checkPlace(extra, known);
      if (signal?.aborted) throw signal.reason;
      const partition = users.current();
      const merged = settled(own, outgoing.url);
      // Where I/O belongs to one request, so do signals.
      const end = signal || !host.canShareIO ? linked(signal, closing, host) : undefined;
      const call = newCall({
        origin: originOf(outgoing.url),
        partition,
        options: merged,
        init: extra,
        signal: end?.signal ?? closing.signal,
      });
      return perform(start, outgoing, own ? { ...call, own, ...own[CALL_FACTS] } : call, end);
    } catch (error) {
      return Promise.reject(error);
    }
  };

  const close = async (): Promise<void> => {
    closing.close(new ClosedError());
    await background?.ended(host.clock);
  };
  wrappedFetches.add(fetch);
  return Object.assign(fetch, {
    configure(changes: Options) {
      checkForAll(changes as CallOptions);
      overall = { ...overall, ...changes };
    },
    subscribe: (listener: (event: HoldfastEvent) => void) => events.subscribe(listener),
    signOut: async (given: SignOutOptions = {}) => users.signOut?.(given) ?? { undelivered: 0, cached: 0 },
    close,
    [asyncDispose]: close,
  });
}

interface NewCall extends Omit<BackgroundCall, 'partition'> {
  readonly partition: string | undefined;
  readonly init?: Call['init'];
}
