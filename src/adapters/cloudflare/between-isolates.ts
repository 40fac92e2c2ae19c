import type { SharedState, Sharing } from '../../policies/breaker/sharing.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import { positiveDuration, readSettings, wellFormedString, withMethods } from '../../primitives/validate.ts';
import type { SyncMessage } from './coordinator-object.ts';
import { type SyncClient, syncClient } from './sync-client.ts';

/** The used part of a `DurableObjectNamespace`: a binding to the class that `coordinatorObject` made. */
export interface CoordinatorNamespace {
  getByName(name: string): { exchange(report: SyncMessage): Promise<unknown> };
}

export interface BetweenIsolatesOptions {
  /** The object's name; clients of one name share. Default `'default'`. */
  readonly name?: string;
  /** How often an isolate that has calls asks for news, which is how old its knowledge may be. Default 1 s. */
  readonly every?: Duration;
}

const EXPECTED = 'the binding of a Durable Object namespace';

/** Clients that are made for each request share the states of their isolate. */
const clients = new WeakMap<object, Map<string, SyncClient>>();

/**
 * Shares circuits and `Retry-After` between isolates, through a Durable Object (`coordinatorObject`). No call waits for the
 * object: an isolate decides by what it knows, which is up to `every` old, and older at its first calls after a pause. If the
 * object cannot be reached (`sharing-failed`, once), or if `binding` is `undefined`, each isolate is alone.
 *
 * @throws {ConfigurationError} if the binding is something else.
 * @example
 * import { env } from 'cloudflare:workers';
 *
 * const share = betweenIsolates(env.COORDINATOR);
 * const fetch = createFetch({ breaker: breaker({ share }), rateLimit: rateLimit({ share }) });
 */
export function betweenIsolates(
  binding: CoordinatorNamespace | undefined,
  options: BetweenIsolatesOptions = {},
): Sharing {
  const { name, every } = readSettings(
    'betweenIsolates',
    { name: ['default', wellFormedString], every: [1_000, positiveDuration] },
    options,
  );
  if (binding !== undefined)
    withMethods<CoordinatorNamespace>(EXPECTED, 'getByName')(binding, 'betweenIsolates.binding');
  const client = clientOf(binding, name, every);
  return {
    inCalls: true,
    connect(onState, known) {
      const me = {};
      const broadcast = (state: SharedState): void => client.broadcast(state, me);
      let seen = -1;
      return {
        broadcast: broadcast,
        during(call) {
          client.during(call);
          if (seen < 0) known().forEach(broadcast);
          seen = client.catchUp(seen, me, onState);
        },
        close() {},
      };
    },
  };
}

function clientOf(binding: CoordinatorNamespace | undefined, name: string, every: number): SyncClient {
  const own = (binding && clients.get(binding)) ?? new Map<string, SyncClient>();
  if (binding) clients.set(binding, own);
  const place = `${every} ${name}`;
  const send = async (report: SyncMessage): Promise<unknown> => {
    if (binding) return binding.getByName(name).exchange(report);
    throw new ConfigurationError('betweenIsolates.binding', binding, `expected ${EXPECTED}`);
  };
  if (!own.has(place)) own.set(place, syncClient(name, every, send));
  return own.get(place) as SyncClient;
}
