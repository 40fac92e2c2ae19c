import { type Call, named, type PipelineContext, PUBLIC } from '../../core/contract.ts';
import { composeWrappers } from '../../core/run/compose-wrappers.ts';
import { type Stage, stage } from '../../core/stage.ts';
import type { AtomicStore } from '../../core/store.ts';
import { currentPartition, usersOf } from '../../core/user.ts';
import { SAFE_METHODS } from '../../http/idempotency.ts';
import { createAborter } from '../../primitives/abort.ts';
import { Background } from '../../primitives/background.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { matches } from '../../primitives/request.ts';
import { ofType } from '../../primitives/validate.ts';
import type { OutboxContext } from './context.ts';
import { createContext } from './create-context.ts';
import { enqueue } from './enqueue.ts';
import type { OutboxNotification } from './events.ts';
import {
  clear,
  counts,
  type ExportedEntry,
  edit,
  exportEntries,
  flush,
  type LaneInfo,
  lanes,
  type OutboxCounts,
  pause,
  removeAll,
  removeById,
  replay,
  requestOf,
  resume,
} from './manage.ts';
import { takeName } from './names.ts';
import { checkPartition, type OutboxOptions, readCallOutbox, readOutboxOptions } from './options.ts';
import { clearResponses } from './queue/cleanup.ts';
import type { OutboxEntry } from './queue/entry.ts';
import {
  type ClearOptions,
  type EntriesQuery,
  type FlushOptions,
  type FlushProgress,
  type LaneQuery,
  type ReplayOptions,
  type ResultOptions,
  readClear,
  readFlush,
  readLaneQuery,
  readQuery,
  readReplay,
  readResult,
} from './queue/queries.ts';
import { awaitResult, resultLost, toResponse, UndeliveredError } from './results.ts';
import type { Retiring } from './send/gate.ts';

/** @typeParam Meta The application's data of an entry. */
export interface Outbox<Meta = unknown> extends Stage {
  /** The header by which an attempt is recognised as the delivery of an entry. */
  readonly idempotencyHeader: string | false;
  /**
   * The origin's response to a queued write: at once if it has come, else when it comes; also after a reload.
   *
   * @param options.signal Ends the wait, and nothing else.
   * @throws {UndeliveredError} if the write became a dead letter without a response, was removed, or is not known.
   */
  result(id: string, options?: ResultOptions): Promise<Response>;
  /** A page of the current user's entries, oldest first; empty if no user is signed in. */
  entries(query?: EntriesQuery): Promise<OutboxEntry<Meta>[]>;
  /** How many entries of the current user wait or are dead letters, and how many of all users wait. No entry is read. */
  counts(query?: LaneQuery): Promise<OutboxCounts>;
  /** The current user's lanes: how many entries wait in each, and whether it is paused or stopped. */
  lanes(): Promise<LaneInfo[]>;
  /** The stored request of an entry, with its body. `undefined` if the id is unknown. */
  request(id: string): Promise<Request | undefined>;
  /**
   * Changes the request of a dead letter: another body, URL or header, under a new key.
   *
   * @param change Takes the request and returns the one to send.
   * @returns false if there is no dead letter of that id.
   */
  edit(
    id: string,
    change: (request: Request, entry: OutboxEntry<Meta>) => Request | Promise<Request>,
  ): Promise<boolean>;
  /** Sends a dead letter again. @returns false if there is none of that id. */
  replay(id: string, options?: ReplayOptions): Promise<boolean>;
  /** Removes an entry, waiting or a dead letter. @returns false if there is none of that id. */
  remove(id: string): Promise<boolean>;
  /** Removes the current user's dead letters. @returns how many. */
  purge(): Promise<number>;
  /** Entries with their bodies, as JSON, page by page: for a file, or for support. */
  export(query?: EntriesQuery): AsyncIterable<ExportedEntry<Meta>>;
  /**
   * Removes everything of a user: waiting entries, dead letters, results. For a logout that leaves nothing; without it, entries
   * wait until this user signs in again.
   *
   * @returns how many entries.
   */
  clear(of?: ClearOptions): Promise<number>;
  /**
   * Sends all waiting entries now, also those with a `Retry-After`. Resolves when this page can send no more; a lane that another
   * page sends is left to it.
   */
  flush(options?: FlushOptions): Promise<FlushProgress>;
  /** Pauses a lane, or all lanes of the current user, until `resume()`; in every tab, and after a reload. */
  pause(query?: LaneQuery): Promise<void>;
  /** Resumes: after `pause`, and after a 401 with the credentials that `authorize` sets now. */
  resume(query?: LaneQuery): Promise<void>;
  /** While true, this page or worker sends nothing, and leaves it to others: for a switch that turns it off. */
  retire(isRetired: boolean): void;
  /** Subscribes to events of the current user's entries, in this tab and in others. @returns ends the subscription. */
  subscribe(listener: (event: OutboxNotification<Meta>) => void): () => void;
}

/**
 * Keeps a write until it is delivered. The entry is committed with strict durability before it is sent, and it is
 * removed only after its response has been evaluated; every attempt has the same `Idempotency-Key`.
 *
 * @throws {StorageError} from a call whose write could not be committed: it was not accepted.
 * @throws {CapacityError} from a call when the outbox is full, or the body too large.
 */
export function outboxPolicy(options: OutboxOptions, defaultStore: () => AtomicStore): Outbox {
  const settings = readOutboxOptions(options, options.store ?? defaultStore());
  let assembled: OutboxContext | undefined;
  const context = (): OutboxContext => {
    if (assembled) return assembled;
    throw new ConfigurationError(
      'outbox',
      'this outbox',
      'give it to createClient or createFetch before you use it',
    );
  };

  const retire = (by: Retiring, isRetired: boolean): void => {
    assembled?.gate.retire(by, isRetired);
    if (!isRetired) assembled?.wake('all');
  };

  const policy = stage({
    attach(pipeline, inside) {
      if (assembled)
        throw new ConfigurationError('outbox', 'this outbox', 'another client has it; make one for each');
      takeName(pipeline, settings.store, {
        retire: () => retire('newer outbox', true),
        reclaim: () => retire('newer outbox', false),
      });
      assembled = createContext(inside, pipeline, settings);
    },
    enter(run): Promise<void> | undefined {
      const { call, pipeline, method } = run;
      assembled?.notice(call);
      if (SAFE_METHODS.includes(method)) return undefined;
      // A read ignores the option, as a route or `extend` applies to all calls.
      const isMatch = settings.match !== undefined && matches(settings.match, run.url);
      const wanted = call.options.outbox ?? (isMatch || undefined);
      if (wanted === undefined) return undefined;
      checkCall(call, wanted, pipeline);
      const own = createAborter();
      const enqueued = enqueue(
        run.request,
        { ...call, signal: own.signal },
        readCallOutbox(wanted),
        context(),
      );
      return run.wait(Infinity, enqueued, own.abort).then((response) => {
        run.response = response;
      });
    },
  });

  /** @throws {ClosedError} once the pipeline was closed. */
  const open = (): OutboxContext => {
    const mine = context();
    mine.pipeline.signal.throwIfAborted();
    return mine;
  };

  return Object.assign(
    named('outbox', policy, {
      read: readCallOutbox,
      needsPartition: true,
      brings: { compose: composeWrappers, users: usersOf, Background },
      signOut: async ({ partition, undelivered }) => {
        const mine = open();
        if (undelivered === 'remove') return { undelivered: await clear(partition, mine) };
        const { waiting, deadLetters } = await counts(undefined, mine);
        await clearResponses(mine.queue, partition);
        return { undelivered: waiting + deadLetters };
      },
    }),
    {
      idempotencyHeader: settings.idempotencyHeader,
      async result(id: string, options: ResultOptions = {}) {
        const signal = readResult(options);
        const mine = open();
        const { queue, pipeline } = mine;
        const partition = pipeline.partition();
        const entry = await queue.find(partition, id);
        if (entry) return toResponse(await awaitResult(entry, mine, signal));
        const stored = await queue.result(await queue.keyOf(partition, id), partition);
        if (stored) return toResponse(stored);
        if (await queue.owner(partition, id)) throw resultLost(id);
        throw new UndeliveredError('outbox-unknown', id, { code: 'unknown' });
      },
      async entries(query: EntriesQuery = {}) {
        const { queue, pipeline } = open();
        const partition = currentPartition(pipeline);
        return partition === undefined ? [] : queue.list(partition, readQuery(query));
      },
      counts: async (query: LaneQuery = {}) => counts(readLaneQuery(query), open()),
      lanes: async () => lanes(open()),
      request: async (id: string) => requestOf(id, open()),
      async edit(id: string, change: Parameters<Outbox['edit']>[1]) {
        ofType('function')(change, 'edit.change');
        return edit(id, change, open());
      },
      replay: async (id: string, options: ReplayOptions = {}) => replay(id, readReplay(options), open()),
      async remove(id: string) {
        return removeById(id, open());
      },
      async purge() {
        const mine = open();
        return removeAll(mine.pipeline.partition(), 'dead-letter', mine);
      },
      export: (query: EntriesQuery = {}) => exportEntries(readQuery(query), context()),
      async clear(of: ClearOptions = {}) {
        const mine = open();
        return clear(readClear(of) ?? mine.pipeline.partition(), mine);
      },
      flush: async (options: FlushOptions = {}) => flush(readFlush(options), open()),
      pause: async (query: LaneQuery = {}) => pause(readLaneQuery(query), open()),
      resume: async (query: LaneQuery = {}) => resume(readLaneQuery(query), open()),
      retire: (isRetired: boolean) => retire('application', ofType<boolean>('boolean')(isRetired, 'retire')),
      subscribe: (listener: (event: OutboxNotification) => void) => context().events.subscribe(listener),
    },
  );
}

/** @throws {ConfigurationError} if no later page could send the write of this call. */
function checkCall(call: Call, wanted: unknown, pipeline: PipelineContext): void {
  if (call.isSignedOut)
    throw new ConfigurationError(
      'outbox',
      wanted,
      'no user is signed in: a queued write belongs to a partition',
    );
  if (call.transport)
    throw new ConfigurationError(
      'fetch',
      'a function',
      'a queued write is sent by the fetch of its client, perhaps after a reload: give it to createClient',
    );
  if (call.partition === PUBLIC && !pipeline.isPartitionConstant)
    throw new ConfigurationError(
      'partition',
      PUBLIC,
      "for an outbox, say it as a constant: partition: 'public'",
    );
  checkPartition(call.partition);
}
