import { dropBody } from '../core/body.ts';
import { categoryOf } from '../core/category.ts';
import { memoized, ofType, oneOf, type Rule, readOptions } from '../core/check.ts';
import { type Call, named, type Policy, type Strategy } from '../core/contract.ts';
import type { Category } from '../core/errors.ts';
import { createResponse } from '../core/rebuild.ts';
import { SOURCE_HEADER } from '../core/source.ts';
import { stage } from '../core/stage.ts';

/** What is done about failures, by their category; what is not named is left to the policies' own rules. */
export type Strategies = { readonly [C in Category]?: Strategy };

export interface StrategiesOptions {
  /** The application's own view of an outcome (a response or an error); `undefined` leaves it to `categoryOf`. */
  readonly categorize?: (outcome: unknown) => Category | undefined;
}

type Settings = { -readonly [C in Category]: Strategy | undefined };

const strategy: Rule<Strategy> = oneOf('retry', 'back-off', 'fail-over', 'fall-back', 'skip', 'fail-fast');

const none: Settings = {
  network: undefined,
  timeout: undefined,
  'rate-limit': undefined,
  server: undefined,
  client: undefined,
  auth: undefined,
  validation: undefined,
  conflict: undefined,
  parse: undefined,
  'circuit-open': undefined,
  capacity: undefined,
  storage: undefined,
  aborted: undefined,
  configuration: undefined,
  unknown: undefined,
};

/** The caller left, the pipeline was closed, or the options cannot be meant: nothing can be done about that. */
const FINAL: readonly (keyof Settings)[] = ['aborted', 'configuration'];

const rules = Object.fromEntries(Object.keys(none).map((category) => [category, strategy])) as unknown as {
  [C in Category]: Rule<Strategy | undefined>;
};

/**
 * Says by the category of a failure what is done about it; the policies that can do it ask here before their own rules.
 *
 * - `retry`: another attempt, as `retry` is set up (its limit, budget and idempotency hold).
 * - `back-off`: the same, and other calls to that origin wait as long before they are repeated.
 * - `fail-over`: the next origin of `failover`.
 * - `fall-back`: no more attempts; the last copy of `staleCache`, else the answer of `fallback`.
 * - `skip`: no more attempts; the answer does not matter, and the call gets an empty 204 from `'fallback'`.
 * - `fail-fast`: the failure is the caller's at once.
 *
 * A word for which there is no policy leaves the failure as it is. `aborted` and `configuration` stand whatever is said.
 *
 * @param base For all calls; a route or a call adds its own: `strategies: { timeout: 'fall-back' }`.
 */
export function strategies(base: Strategies, options: StrategiesOptions = {}): Policy {
  const { categorize } = readOptions<{ categorize: StrategiesOptions['categorize'] }>(
    'strategies',
    options,
    { categorize: ofType('function') },
    { categorize: undefined },
  );
  const read = (given: unknown, over: Settings): Settings =>
    readOptions('strategies', given as object, rules, over);
  const standard = read(base, none);
  const settle = memoized((own) => (own === true ? standard : read(own, standard)));

  const policy = stage({
    enter(run) {
      const { call } = run;
      const { strategies: own } = call.options;
      const words = own === undefined ? standard : settle(own);
      const strategy: Call['strategy'] = (outcome) => {
        if (call.signal.aborted) return undefined;
        const category = categorize?.(outcome) ?? categoryOf(outcome);
        if (category === undefined || FINAL.includes(category)) return undefined;
        return words[category];
      };
      run.call = { ...call, strategy };
    },
    leave(run) {
      const { response, error, call, url } = run;
      if (call.strategy?.(response ?? error) !== 'skip') return;
      dropBody(response);
      run.response = emptyAnswer(url);
    },
  });
  return named('strategies', policy);
}

const emptyAnswer = (url: string): Response =>
  createResponse(
    null,
    { status: 204, statusText: 'No Content', url, type: 'default', redirected: false },
    { [SOURCE_HEADER]: 'fallback' },
  );
