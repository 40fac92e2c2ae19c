import { having, readOptions, span, wellFormed } from '../../core/check.ts';
import type { Duration } from '../../core/durations.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { Sharing } from '../../policies/breaker/sharing.ts';
import type { RateSharing } from '../../policies/rate-limit.ts';
import type { BudgetSharing } from '../../policies/retry/budget.ts';
import { Exchange } from './exchange.ts';
import type { Report } from './sharing-words.ts';

/** What is used of a `DurableObjectNamespace`: a binding to the class that `coordinatorObject` made. */
export interface CoordinatorNamespace {
  getByName(name: string): { exchange(report: Report): Promise<unknown> };
}

export interface BetweenIsolatesOptions {
  /** Of the object: who names the same one shares. Default `'default'`. */
  readonly name?: string;
  /** How often an isolate that has calls asks for news, which is how old its knowledge may be. Default 1 s. */
  readonly every?: Duration;
}

/** What `breaker`, `rateLimit` and `retry` take as `share`. */
export type IsolateSharing = Sharing & RateSharing & BudgetSharing;

const EXPECTED = 'the binding of a Durable Object namespace';

/** What each isolate knows, by binding: clients that are made for each request know it too. */
const exchanges = new WeakMap<object, Map<string, Exchange>>();

/**
 * One circuit, one rate and one retry budget for all isolates, through a Durable Object (`coordinatorObject`). No call waits for
 * it: local state decides, and is corrected in the background of calls. So what an isolate knows is up to `every` old, and
 * older at its first calls after a pause. While the object cannot be reached, which is told once (`sharing-failed`), each
 * isolate goes by what it sees for itself; so it does where `binding` is `undefined`.
 *
 * @throws {ConfigurationError} where the binding is something else.
 *
 * @example
 * const share = betweenIsolates(env.COORDINATOR);
 * const fetch = createFetch({ breaker: { share }, retry: { share }, rateLimit: rateLimit({ rate: 100, share }) });
 */
export function betweenIsolates(
  binding: CoordinatorNamespace | undefined,
  options: BetweenIsolatesOptions = {},
): IsolateSharing {
  const { name, every } = readOptions<{ name: string; every: number }>(
    'betweenIsolates',
    options,
    { name: wellFormed, every: span },
    { name: 'default', every: 1_000 },
  );
  if (binding !== undefined)
    having<CoordinatorNamespace>(EXPECTED, 'getByName')(binding, 'betweenIsolates.binding');
  const exchange = exchangeOf(binding, name, every);
  return {
    inCalls: true,
    connect(heard, known) {
      const me = {};
      let seen = -1;
      const tell = (circuit: Parameters<typeof heard>[0]): void => {
        exchange.circuits.tell(circuit, me, exchange.now);
        exchange.hurry();
      };
      return {
        tell,
        during(call, failed) {
          if (failed) exchange.doubt();
          exchange.during(call);
          const first = seen < 0;
          seen = exchange.circuits.catchUp(seen, me, exchange.now, heard);
          if (first) known().forEach(tell);
        },
        close() {},
      };
    },
    buckets: (terms, make) => exchange.rates.buckets(terms, make, exchange.during),
    budgets: (most, make) => exchange.budgets.budgets(most, make, exchange.during),
  };
}

function exchangeOf(binding: CoordinatorNamespace | undefined, name: string, every: number): Exchange {
  const send = async (report: Report): Promise<unknown> => {
    if (binding) return binding.getByName(name).exchange(report);
    throw new ConfigurationError('betweenIsolates.binding', binding, `expected ${EXPECTED}`);
  };
  if (!binding) return new Exchange(name, every, send);
  const own = exchanges.get(binding) ?? new Map<string, Exchange>();
  exchanges.set(binding, own);
  const place = `${every} ${name}`;
  const exchange = own.get(place) ?? new Exchange(name, every, send);
  own.set(place, exchange);
  return exchange;
}
