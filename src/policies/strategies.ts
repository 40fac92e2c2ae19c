import { dropBody } from '../core/body/body.ts';
import { createResponse } from '../core/body/response.ts';
import { type Call, named, type Policy, type Strategy } from '../core/contract.ts';
import { CATEGORIES, categoryOf, SOURCE_HEADER } from '../core/outcome.ts';
import { stage } from '../core/stage.ts';
import type { Category } from '../primitives/failure.ts';
import { ofType, oneOf, perCall, type Rule, readSettings } from '../primitives/validate.ts';

/** The strategy for each category of failure; a category without one is left to the policies' own rules. */
export type Strategies = { readonly [C in Category]?: Strategy };

export interface StrategiesOptions {
  /** The application's own view of an outcome (a response or an error); `undefined`, or an error, leaves it to `categoryOf`. */
  readonly categorize?: (outcome: unknown) => Category | undefined;
}

const strategy: Rule<Strategy | undefined> = /* @__PURE__ */ oneOf(
  'retry',
  'back-off',
  'fail-over',
  'fall-back',
  'skip',
  'fail-fast',
);

type Chosen = { [C in Category]: Strategy | undefined };

/** The caller aborted, the pipeline was closed, or the options are wrong: no strategy helps. */
const FINAL: readonly Category[] = ['aborted', 'configuration'];

/**
 * Chooses a strategy by the category of a failure. Policies apply this strategy before their own rules.
 *
 * - `retry`: another attempt, as `retry` is set up (its limit, budget and idempotency hold).
 * - `back-off`: the same, and other calls to that origin wait as long before they are repeated.
 * - `fail-over`: the next origin of `failover`.
 * - `fall-back`: no more attempts; the cached response of `staleCache`, else the value of `fallback`.
 * - `skip`: no more attempts; the response does not matter, and the call gets an empty 204 from `'fallback'`.
 * - `fail-fast`: the failure is the caller's at once.
 *
 * A strategy without its policy leaves the failure as it is. `aborted` and `configuration` always stand.
 *
 * @param base For all calls; a route or a call adds its own: `strategies: { timeout: 'fall-back' }`.
 *
 * @example
 * const fetch = createFetch({ strategies: strategies({ 'rate-limit': 'fail-fast', server: 'retry' }) });
 */
export function strategies(base: Strategies, options: StrategiesOptions = {}): Policy {
  const { categorize } = readSettings(
    'strategies',
    { categorize: [undefined, ofType<StrategiesOptions['categorize']>('function')] },
    options,
  );
  const table = Object.fromEntries(CATEGORIES.map((each) => [each, [undefined, strategy]]));
  const chosenBy = perCall(
    (...layers) => readSettings<Chosen>('strategies', table as never, ...layers),
    base,
  );

  const policy = stage({
    enter(run) {
      const { call } = run;
      const chosen = chosenBy(call.options.strategies);
      const strategy: Call['strategy'] = (outcome) => {
        if (call.signal.aborted && outcome === call.signal.reason) return undefined;
        let category: Category | undefined;
        try {
          category = categorize?.(outcome);
        } catch {
          // A bug in it must not fail a call that has a response.
        }
        category ??= categoryOf(outcome);
        return category && !FINAL.includes(category) ? chosen[category] : undefined;
      };
      run.call = { ...call, strategy };
    },
    leave(run) {
      const { response, error, call, url } = run;
      if (call.strategy?.(response ?? error) !== 'skip') return;
      dropBody(response);
      run.response = emptyResponse(url);
    },
  });
  return named('strategies', policy, { read: chosenBy });
}

const emptyResponse = (url: string): Response =>
  createResponse(
    null,
    { status: 204, statusText: 'No Content', url, type: 'default', redirected: false },
    { [SOURCE_HEADER]: 'fallback' },
  );
