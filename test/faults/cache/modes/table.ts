import type { CacheMode, CallStaleCache, StaleCacheOptions } from '../../../../src/policies/cache/options.ts';

export type Validators = NonNullable<StaleCacheOptions['validators']>;

export const modes = ['network-first', 'respondAfter', 'cache-first', 'stale-while-revalidate'] as const;
export type Mode = (typeof modes)[number];

/** The cached version 1 of the page, by the directives of the origin. */
export const states = {
  none: 'max-age=60',
  fresh: 'max-age=60',
  stale: 'max-age=0',
  'too old': 'max-age=0',
  'must-revalidate': 'max-age=0, must-revalidate',
  'no-cache': 'no-cache',
} as const;
export type State = keyof typeof states;

/** The network between the page and the origin. */
export const networks = ['up', 'slow', 'refused', 'reset', 'silent', '503', 'cut'] as const;
export type Network = (typeof networks)[number];

export interface Situation {
  readonly mode: Mode;
  readonly state: State;
  readonly network: Network;
  readonly validators: Validators;
  /** Of the cached response, and of the origin now. */
  readonly kept: number;
  readonly published: number;
}

/** The promises of the documentation. Nothing in it is taken from the code. */
export interface Promised {
  /** One of these, the first unless a cache below ours comes between. */
  readonly readings: readonly string[];
  /** Requests that the cache makes for it, before or after the caller has a response. */
  readonly asked: number;
  /** The version that is stored then, 0 for none. */
  readonly kept: number;
}

/** In ms. Short if the fault is silence, else so long that a busy machine does not count as silence. */
export const limits = {
  patient: { attempt: 20_000, respondAfter: 20_000 },
  silent: { attempt: 200, respondAfter: 50 },
  slow: { attempt: 20_000, respondAfter: 50 },
  /** The delay of a slow response. */
  lateness: 600,
  /** The abort of a read that its own limits should have ended. */
  hung: 15_000,
};

export const limitsOf = (network: Network) =>
  network === 'slow' || network === 'silent' ? limits[network] : limits.patient;

export const optionsOf = (mode: Mode, network: Network): CallStaleCache =>
  mode === 'respondAfter'
    ? { mode: 'network-first', respondAfter: limitsOf(network).respondAfter }
    : { mode: mode satisfies CacheMode };

/**
 * The mark of a cached response that may be served without the origin: others are no better than
 * none.
 */
const marks: Partial<Record<State, 'cache' | 'stale'>> = { fresh: 'cache', stale: 'stale' };

/** The cached responses that are served before the origin responds. */
const atOnce: Record<Mode, readonly State[]> = {
  'network-first': [],
  respondAfter: [],
  'cache-first': ['fresh'],
  'stale-while-revalidate': ['fresh', 'stale'],
};

const failures = {
  refused: 'TypeError network',
  reset: 'TypeError network',
  silent: 'TimeoutError timeout-attempt',
  '503': '503 network',
} as const;

const BROKEN = '200 network, then TypeError network';

const isFailure = (network: Network): network is keyof typeof failures => network in failures;

export const isHeard = (network: Network): boolean => network === 'up' || network === 'slow';

export function promised(situation: Situation): Promised {
  const { mode, state, network, validators, kept, published } = situation;
  const mark = marks[state];
  const given = `200 ${mark} ${kept}`;
  if (atOnce[mode].includes(state)) {
    const asked = state === 'fresh' ? 0 : 1;
    return { readings: [given], asked, kept: asked && isHeard(network) ? published : kept };
  }
  const isConfirmed = validators === 'own' && kept === published;
  const fromOrigin = `200 ${isConfirmed ? 'cache' : 'network'} ${published}`;
  const standsIn =
    mark !== undefined && (isFailure(network) || (network === 'slow' && mode === 'respondAfter'));
  const reading = standsIn
    ? given
    : isFailure(network)
      ? failures[network]
      : isHeard(network)
        ? fromOrigin
        : BROKEN;
  const readings =
    isKeptBelow(situation) && network !== 'refused' ? [reading, `200 network ${kept}`] : [reading];
  return { readings, asked: 1, kept: isHeard(network) ? published : kept };
}

/**
 * The mode does not look for it first, and so the browser's own cache does not revalidate its fresh
 * response.
 */
export const isKeptBelow = ({
  mode,
  state,
  validators,
}: Pick<Situation, 'mode' | 'state' | 'validators'>): boolean =>
  (mode === 'network-first' || mode === 'respondAfter') && state === 'fresh' && validators === 'platform';
