import type { Clock, Host } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { systemHost } from '../../core/host.ts';
import type { HoldfastFetch, PipelineOptions } from '../../core/pipeline.ts';
import type { OutboxEntry } from '../../policies/outbox/entry.ts';
import type { LaneInfo, OutboxCounts } from '../../policies/outbox/manage.ts';
import type {
  CallOutbox,
  EntriesQuery,
  LaneQuery,
  OutboxOptions,
  ReplayOptions,
} from '../../policies/outbox/options.ts';
import { type Outbox, outboxPolicy } from '../../policies/outbox/outbox.ts';
import { durableObjectStore, type SqlDurableObjectStorage } from '../../stores/durable-object.ts';
import { memoryStore } from '../../stores/memory.ts';
import { createFetch } from '../fetch.ts';
import type { FetchOptions, StandardOptions } from '../standard.ts';

/** What is used of a `DurableObjectState`. */
export interface OutboxObjectState {
  readonly id: { toString(): string };
  readonly storage: SqlDurableObjectStorage & {
    getAlarm(): Promise<number | null>;
    setAlarm(at: number): Promise<void>;
  };
}

/** What a Durable Object sends with: the policies below the outbox, and the outbox' own options. */
export interface OutboxObjectOptions
  extends Omit<StandardOptions, 'outbox' | 'staleCache' | 'strategies' | 'fallback'>,
    Pick<PipelineOptions<FetchOptions>, 'fetch' | 'onEvent' | 'routes' | 'host'> {
  readonly outbox?: Omit<OutboxOptions, 'store' | 'every' | 'backgroundSync' | 'answerAfter'>;
}

/** A write that was accepted. */
export interface AcceptedWrite {
  readonly id: string;
}

/** What a Worker calls on the stub of the object. */
export interface OutboxObject {
  /**
   * Keeps a write until it is delivered. When it resolves, the write is on the disk.
   *
   * @throws what the outbox refuses with: `outbox-full`, `too-large`, `id-conflict`, `storage`; then nothing was accepted.
   */
  accept(request: Request, wanted?: CallOutbox): Promise<AcceptedWrite>;
  /** The origin's answer: at once if it has come, else when it comes. */
  result(id: string): Promise<Response>;
  entries(query?: EntriesQuery): Promise<OutboxEntry[]>;
  counts(query?: LaneQuery): Promise<OutboxCounts>;
  lanes(): Promise<LaneInfo[]>;
  remove(id: string): Promise<boolean>;
  replay(id: string, options?: ReplayOptions): Promise<boolean>;
  purge(): Promise<number>;
  pause(query?: LaneQuery): Promise<void>;
  resume(query?: LaneQuery): Promise<void>;
  /**
   * Sends what is due, and has itself called again. Throws only where that could not be arranged, so that the platform tries
   * again, which it does six times.
   */
  alarm(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: what the platform gives it is of the platform's own type
type ObjectClass<Env, Instance> = abstract new (ctx: any, env: Env) => Instance;

/** So long after a write was given it is looked after again, should the object have been ended before it was sent; in ms. */
const SOON = 1_000;

/** The longest time between two looks while something waits, in ms: a clock may be set. */
const LATEST = 3_600_000;

/** When to look again after what is due and could not be sent, in ms: it waits for another write, or for credentials. */
const STUCK = 60_000;

/** Pipelines of objects that live in this isolate, by id: an object that was ended is not told so. */
const pipelines = new Map<string, HoldfastFetch<FetchOptions>>();

/**
 * An outbox as a Durable Object: what it has accepted survives the Worker, and is sent from its alarm, in order, by nobody else.
 *
 * The object is the unit of privacy as well: use one for each user or tenant (`idFromName`), or one for what is nobody's.
 *
 * @param Base `DurableObject` of `cloudflare:workers`.
 * @param options What it sends with, from its environment.
 *
 * @example
 * import { DurableObject } from 'cloudflare:workers';
 *
 * export class Orders extends outboxObject(DurableObject<Env>, (env) => ({
 *   outbox: { authorize: (request) => request.headers.set('authorization', `Bearer ${env.TOKEN}`) },
 * })) {}
 *
 * const { id } = await env.ORDERS.getByName('ann').accept(request, { lane: 'cart' });
 */
export function outboxObject<Env, Instance extends object>(
  Base: ObjectClass<Env, Instance>,
  options: (env: Env) => OutboxObjectOptions = () => ({}),
): ObjectClass<Env, Instance & OutboxObject> {
  if (typeof Base !== 'function')
    throw new ConfigurationError(
      'outboxObject.Base',
      Base,
      "expected `DurableObject` of 'cloudflare:workers'",
    );
  if (typeof options !== 'function')
    throw new ConfigurationError('outboxObject.options', options, 'expected a function of the environment');

  // biome-ignore lint/suspicious/noExplicitAny: TypeScript wants it of the constructor of a mixin (TS2545)
  type Mixable = abstract new (...args: any[]) => object;

  abstract class Sending extends (Base as unknown as Mixable) implements OutboxObject {
    readonly #storage: OutboxObjectState['storage'];
    readonly #box: Outbox;
    readonly #fetch: HoldfastFetch<FetchOptions>;

    // biome-ignore lint/suspicious/noExplicitAny: as above
    constructor(...args: any[]) {
      super(...args);
      const [state, env] = args as [OutboxObjectState, Env];
      const { outbox = {}, host, ...own } = options(env);
      this.#storage = state.storage;
      this.#box = outboxPolicy(
        { ...outbox, answerAfter: 0, store: durableObjectStore(state.storage) },
        memoryStore,
      );
      const id = state.id.toString();
      // The one before it was ended by the platform, without a word.
      ended(pipelines.get(id));
      this.#fetch = createFetch({
        ...own,
        name: id,
        partition: id,
        outbox: this.#box,
        // All that an object does belongs to the object. It lives, and is paid for, as long as a timer runs.
        host: { sharesIO: true, clock: withAlarms(host?.clock ?? systemHost.clock), ...withoutClock(host) },
      });
      pipelines.set(id, this.#fetch);
    }

    async accept(request: Request, wanted: CallOutbox = {}): Promise<AcceptedWrite> {
      // Before it: what is accepted is never without an alarm.
      await this.#arm(systemHost.clock.now() + SOON);
      const { id = crypto.randomUUID() } = wanted;
      const answer = await this.#fetch(request, { holdfast: { outbox: { ...wanted, id } } });
      await answer.body?.cancel();
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
      return this.#box.remove(id);
    }

    async replay(id: string, how?: ReplayOptions): Promise<boolean> {
      await this.#arm(systemHost.clock.now() + SOON);
      return this.#box.replay(id, how);
    }

    purge(): Promise<number> {
      return this.#box.purge();
    }

    pause(query?: LaneQuery): Promise<void> {
      return this.#box.pause(query);
    }

    async resume(query?: LaneQuery): Promise<void> {
      await this.#arm(systemHost.clock.now() + SOON);
      return this.#box.resume(query);
    }

    async alarm(): Promise<void> {
      const now = systemHost.clock.now();
      let next: number | undefined = now + SOON;
      try {
        await this.#box.flush({ due: true });
        next = await this.#due();
      } catch {
        // The store, for instance; it has been told as an event.
      }
      if (next !== undefined) await this.#storage.setAlarm(Math.max(next, now + SOON));
    }

    /** When there is something to do after all that is due has been tried, in ms of wall time; `undefined`: nothing waits. */
    async #due(): Promise<number | undefined> {
      const waiting = (await this.#box.lanes()).filter((lane) => lane.waiting > 0);
      if (waiting.length === 0) return undefined;
      const now = systemHost.clock.now();
      const times = waiting.map(({ paused, stoppedBy, dueAt = now }) => {
        // Until somebody goes on with it, which sets an alarm.
        if (paused || stoppedBy !== undefined) return now + LATEST;
        return dueAt > now ? dueAt : now + STUCK;
      });
      return Math.min(now + LATEST, ...times);
    }

    async #arm(at: number): Promise<void> {
      const set = await this.#storage.getAlarm();
      if (set === null || set > at) await this.#storage.setAlarm(at);
    }
  }
  return Sending as never;
}

/** What is done in the background is done when the alarm comes. */
const withAlarms = (clock: Clock): Clock => ({
  now: () => clock.now(),
  ticks: () => clock.ticks(),
  after: (ms, task, options) => (options?.background ? () => {} : clock.after(ms, task, options)),
});

const withoutClock = ({ clock: _, ...host }: Partial<Host> = {}): Partial<Host> => host;

/** What an object that is no more has left: its name is free, and its timers are the platform's to forget. */
function ended(pipeline: HoldfastFetch<FetchOptions> | undefined): void {
  pipeline?.close().catch(() => {});
}
