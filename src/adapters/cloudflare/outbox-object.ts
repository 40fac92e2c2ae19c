import { createFetch } from '../../client/fetch.ts';
import type { FetchOptions, StandardOptions } from '../../client/standard.ts';
import type { Clock, Connectivity, Host } from '../../core/contract.ts';
import { type EventLifetime, withinEventLifetime } from '../../core/deadlines.ts';
import { systemHost } from '../../core/host.ts';
import type { HoldfastFetch, PipelineOptions } from '../../core/pipeline.ts';
import type { LaneInfo, OutboxCounts } from '../../policies/outbox/manage.ts';
import type { CallOutbox, OutboxOptions } from '../../policies/outbox/options.ts';
import { type Outbox, outboxPolicy } from '../../policies/outbox/outbox.ts';
import type { OutboxEntry } from '../../policies/outbox/queue/entry.ts';
import type {
  EntriesQuery,
  FlushOptions,
  FlushProgress,
  LaneQuery,
  ReplayOptions,
} from '../../policies/outbox/queue/queries.ts';
import { DeadlineError } from '../../primitives/clock.ts';
import { ConfigurationError, isFailure } from '../../primitives/failure.ts';
import { memoryStore } from '../../stores/memory.ts';
import { durableObjectStore, type SqlDurableObjectStorage } from '../../stores/sql/durable-object.ts';
import { type AlarmStorage, mixable, ObjectAlarm, type ObjectClass } from './durable-object.ts';

/** The used part of a `DurableObjectState`. */
export interface OutboxObjectState {
  readonly id: { toString(): string };
  readonly storage: SqlDurableObjectStorage & AlarmStorage;
}

/** The policies below the outbox, and the outbox's own options. */
export interface OutboxObjectOptions
  extends Omit<StandardOptions, 'outbox' | 'staleCache' | 'strategies' | 'fallback'>,
    Pick<PipelineOptions<FetchOptions>, 'fetch' | 'onEvent' | 'routes' | 'host'> {
  readonly outbox?: Omit<OutboxOptions, 'store' | 'pollInterval' | 'backgroundSync' | 'respondAfter'>;
}

/** An accepted write. */
export interface AcceptedWrite {
  readonly id: string;
}

/** The methods that a Worker calls on the stub of the object. */
export interface OutboxObject {
  /**
   * Keeps a write until it is delivered. When it resolves, the write is on the disk, and an alarm is set.
   *
   * @throws the outbox's own errors: `outbox-full`, `too-large`, `id-conflict`, `storage`; then nothing was accepted.
   */
  accept(request: Request, wanted?: CallOutbox): Promise<AcceptedWrite>;
  /** The response of the origin: at once if it has come, else when it comes. */
  result(id: string): Promise<Response>;
  entries(query?: EntriesQuery): Promise<OutboxEntry[]>;
  counts(query?: LaneQuery): Promise<OutboxCounts>;
  lanes(): Promise<LaneInfo[]>;
  remove(id: string): Promise<boolean>;
  replay(id: string, options?: ReplayOptions): Promise<boolean>;
  purge(): Promise<number>;
  pause(query?: LaneQuery): Promise<void>;
  resume(query?: LaneQuery): Promise<void>;
  /** Sends all waiting entries now, not only those due: from a scheduled handler, or when the origin is back. */
  flush(options?: Pick<FlushOptions, 'due'>): Promise<FlushProgress>;
  /**
   * Sends the due entries and sets the next alarm. Throws only if it could not be set, so that the platform tries
   * again, which it does six times.
   */
  alarm(): Promise<void>;
}

/** So long after a write was given it is looked after again, should the object have been ended before it was sent; in ms. */
const SOON = 1_000;

/** The longest time between two looks while something waits, in ms: a clock may be set. */
const LATEST = 3_600_000;

/** When to retry due entries that wait for another write or for credentials, in ms. */
const STUCK = 60_000;

/** The platform ends an alarm that takes longer, in ms. */
const LONGEST_ALARM = 900_000;

const TIME: EventLifetime = { begin: 600_000, end: 840_000 };

/**
 * An outbox as a Durable Object: accepted writes survive the Worker, and only its alarm sends them, in order.
 *
 * The object is the unit of privacy as well: use one for each user or tenant (`idFromName`), or one for data without a user.
 *
 * @param Base `DurableObject` of `cloudflare:workers`.
 * @param options Makes the options from the object's environment.
 *
 * @example
 * import { DurableObject, env } from 'cloudflare:workers';
 *
 * export class Orders extends outboxObject(DurableObject<Env>, (env) => ({
 *   outbox: { authorize: (request) => request.headers.set('authorization', `Bearer ${env.TOKEN}`) },
 * })) {}
 *
 * const order = new Request('https://api.example.com/orders', { method: 'POST', body: '{}' });
 * const { id } = await env.ORDERS.getByName('ann').accept(order, { lane: 'cart' });
 */
export function outboxObject<Env, Instance extends object>(
  Base: ObjectClass<Env, Instance>,
  options: (env: Env) => OutboxObjectOptions = () => ({}),
): ObjectClass<Env, Instance & OutboxObject> {
  const Extended = mixable(Base, 'outboxObject.Base');
  if (typeof options !== 'function')
    throw new ConfigurationError('outboxObject.options', options, 'expected a function of the environment');

  abstract class Sending extends Extended implements OutboxObject {
    readonly #alarm: ObjectAlarm;
    readonly #host: Host;
    readonly #box: Outbox;
    readonly #fetch: HoldfastFetch<FetchOptions>;
    /** Alarms in a row that failed. */
    #failures = 0;

    // biome-ignore lint/suspicious/noExplicitAny: TypeScript wants it of the constructor of a mixin (TS2545)
    constructor(...args: any[]) {
      super(...args);
      const [state, env] = args as [OutboxObjectState, Env];
      const { outbox = {}, host, ...own } = options(env);
      this.#alarm = new ObjectAlarm(state.storage);
      // All that an object does belongs to the object. It lives, and is paid for, as long as a timer runs.
      this.#host = {
        ...systemHost,
        connectivity: ALWAYS,
        ...host,
        canShareIO: true,
        clock: withAlarms(host?.clock ?? systemHost.clock),
      };
      this.#box = outboxPolicy(
        { ...outbox, respondAfter: 0, store: durableObjectStore(state.storage) },
        memoryStore,
      );
      const id = state.id.toString();
      this.#fetch = createFetch({
        ...own,
        name: id,
        partition: id,
        outbox: this.#box,
        host: this.#host,
      });
    }

    async accept(request: Request, wanted: CallOutbox = {}): Promise<AcceptedWrite> {
      const { id = crypto.randomUUID() } = wanted;
      await this.#withAlarm(async () => {
        const response = await this.#fetch(request, { holdfast: { outbox: { ...wanted, id } } });
        await response.body?.cancel();
      });
      return { id };
    }

    result(id: string): Promise<Response> {
      return this.#box.result(id);
    }

    entries(query?: EntriesQuery): Promise<OutboxEntry[]> {
      return this.#box.entries(query);
    }

    counts(query?: LaneQuery): Promise<OutboxCounts> {
      return this.#box.counts(query);
    }

    lanes(): Promise<LaneInfo[]> {
      return this.#box.lanes();
    }

    remove(id: string): Promise<boolean> {
      return this.#withAlarm(() => this.#box.remove(id));
    }

    replay(id: string, how?: ReplayOptions): Promise<boolean> {
      return this.#withAlarm(() => this.#box.replay(id, how));
    }

    purge(): Promise<number> {
      return this.#withAlarm(() => this.#box.purge());
    }

    pause(query?: LaneQuery): Promise<void> {
      return this.#box.pause(query);
    }

    resume(query?: LaneQuery): Promise<void> {
      return this.#withAlarm(() => this.#box.resume(query));
    }

    flush(how?: Pick<FlushOptions, 'due'>): Promise<FlushProgress> {
      return this.#withAlarm(() => this.#box.flush(how));
    }

    async alarm(): Promise<void> {
      // Should this one be ended by the platform.
      const another = this.#host.clock.now() + LONGEST_ALARM;
      await this.#alarm.ensureBefore(another);
      await this.#alarm.reschedule(another, await this.#next());
    }

    /**
     * Runs a task that may enqueue entries. The alarm is set before, as the object may be ended in between, and again
     * after it, as it may have taken longer than until that came.
     */
    async #withAlarm<T>(work: () => Promise<T>): Promise<T> {
      await this.#alarm.ensureBefore(this.#host.clock.now() + SOON);
      try {
        return await work();
      } finally {
        await this.#alarm.ensureBefore(this.#host.clock.now() + SOON);
      }
    }

    /** Sends the due entries. @returns when the next one is due, in ms of wall time; `undefined`: no entry waits. */
    async #next(): Promise<number | undefined> {
      const since = this.#host.clock.now();
      try {
        await withinEventLifetime(TIME, this.#host, (signal) => this.#box.flush({ due: true, signal })).catch(
          ignoreDeadline,
        );
        const due = await this.#due(since);
        this.#failures = 0;
        return due;
      } catch (error) {
        // The store failed, for instance; an event has reported it.
        return this.#host.clock.now() + backoff(error, this.#failures++);
      }
    }

    /**
     * When there is something to do after all that was due at `since` has been tried, in ms of wall time; `undefined`: nothing
     * waits.
     */
    async #due(since: number): Promise<number | undefined> {
      const waiting = (await this.#box.lanes()).filter((lane) => lane.waiting > 0);
      if (waiting.length === 0) return undefined;
      const now = this.#host.clock.now();
      const next = async ({ lane, paused, stoppedBy, dueAt = now }: LaneInfo): Promise<number> => {
        // `resume` sets an alarm.
        if (paused || stoppedBy !== undefined) return now + LATEST;
        if (dueAt > now) return Math.max(dueAt, now + SOON);
        // It was tried, and its backoff is over already: that is not stuck.
        const [head] = await this.#box.entries({ state: 'waiting', lane, limit: 1 });
        return now + (head && head.notBefore > since ? SOON : STUCK);
      };
      const times = await Promise.all(waiting.map(next));
      return Math.min(now + LATEST, ...times);
    }
  }
  return Sending as never;
}

/** Subscribes to no events of the isolate: an evicted object could not unsubscribe, and would be kept alive. */
const ALWAYS: Connectivity = { state: true, subscribe: () => () => {} };

/** A clock without background timers: the alarm does that work. */
const withAlarms = (clock: Clock): Clock => ({
  now: () => clock.now(),
  ticks: () => clock.ticks(),
  after: (ms, task, options) => (options?.background ? () => {} : clock.after(ms, task, options)),
});

/** A request that is still in flight goes on, and the next alarm finds its outcome. */
function ignoreDeadline(error: unknown): void {
  if (!(error instanceof DeadlineError)) throw error;
}

/** The wait after `failures` in a row, in ms. A permanent failure waits for another version of the Worker. */
const backoff = (error: unknown, failures: number): number =>
  isFailure(error) && !error.transient ? LATEST : Math.min(STUCK, SOON * 2 ** failures);
