import { createAborter } from '../../core/abort.ts';
import { type Call, named, type PipelineContext, PUBLIC } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { matches } from '../../core/match.ts';
import { signsOut } from '../../core/sign-out.ts';
import { currentPartition } from '../../core/signed-in.ts';
import { type Run, type Stage, stage } from '../../core/stage.ts';
import type { AtomicStore } from '../../core/store.ts';
import { SAFE_METHODS } from '../../http/idempotency.ts';
import { answerOf, lost, UndeliveredError } from './answers.ts';
import { assemble, givenBack } from './assemble.ts';
import { type ExportedEntry, edit, exported, purge, replay, requestOf } from './dead-letters.ts';
import { enqueue } from './enqueue.ts';
import type { OutboxEntry } from './entry.ts';
import { flush } from './flush.ts';
import { clear, counts, type LaneInfo, lanes, type OutboxCounts, pause, resume } from './manage.ts';
import { takeName } from './names.ts';
import type { OutboxNews } from './news.ts';
import {
  checkPartition,
  functionRule,
  type OutboxOptions,
  type OutboxSettings,
  readCallOutbox,
  readOutboxOptions,
} from './options.ts';
import type { Parts } from './parts.ts';
import {
  type ClearOptions,
  type EntriesQuery,
  type FlushOptions,
  type FlushProgress,
  type LaneQuery,
  type ReplayOptions,
  readClear,
  readFlush,
  readLaneQuery,
  readQuery,
  readReplay,
} from './queries.ts';
import { awaited } from './settlement.ts';
import { onSignIn } from './triggers.ts';

/** @typeParam Meta What the application keeps with its entries. */
export interface Outbox<Meta = unknown> extends Stage {
  /** The header by which a sending is recognised as the delivery of an entry. */
  readonly idempotencyHeader: string | false;
  /**
   * The real answer to a queued write: at once if it has come, else when it comes; also after a reload.
   *
   * @throws {UndeliveredError} if the write became a dead letter without an answer, was removed, or is not known.
   */
  result(id: string): Promise<Response>;
  /** A page of the current user's entries, oldest first; empty if no user is signed in. */
  entries(query?: EntriesQuery): Promise<OutboxEntry<Meta>[]>;
  /** How many of the current user's entries wait and are dead; and what waits of all users. No entry is read. */
  counts(query?: LaneQuery): Promise<OutboxCounts>;
  /** The current user's lanes: what waits in each, and whether it is paused or stopped. */
  lanes(): Promise<LaneInfo[]>;
  /** What an entry sends, with its body and without what is not written to disk. `undefined`: there is none of that id. */
  request(id: string): Promise<Request | undefined>;
  /**
   * Changes what a dead letter will send: another body, URL or header, under a new key.
   *
   * @param change Is given the request as it is, and gives the one that is to be sent.
   * @returns false if there is no dead letter of that id.
   */
  edit(
    id: string,
    change: (request: Request, entry: OutboxEntry<Meta>) => Request | Promise<Request>,
  ): Promise<boolean>;
  /** Sends a dead letter again. @returns false if there is none of that id. */
  replay(id: string, options?: ReplayOptions): Promise<boolean>;
  /** Removes an entry, waiting or dead: the application's decision. @returns false if there is none of that id. */
  remove(id: string): Promise<boolean>;
  /** Removes the current user's dead letters. @returns how many. */
  purge(): Promise<number>;
  /** Entries with their bodies, as JSON, from page to page: for a file, or for whoever has to look into it. */
  export(query?: EntriesQuery): AsyncIterable<ExportedEntry<Meta>>;
  /**
   * Removes everything of a user: what waits, dead letters, answers. For a logout after which nothing is to be left;
   * without it, what waits is held until they sign in again.
   *
   * @returns how many entries.
   */
  clear(of?: ClearOptions): Promise<number>;
  /**
   * Tries all that waits now, also what an origin asked to wait. Settles when nothing more can be sent from here; a lane
   * that another page looks after is left to it.
   */
  flush(options?: FlushOptions): Promise<FlushProgress>;
  /** Sends nothing of a lane, or of the current user, until `resume()`; in every tab, and after a reload. */
  pause(query?: LaneQuery): Promise<void>;
  /** Goes on: after `pause`, and after a 401 with the credentials that `authorize` puts on now. */
  resume(query?: LaneQuery): Promise<void>;
  /** Hears what happens to the current user's entries, in this tab and in others. @returns ends it. */
  subscribe(listener: (news: OutboxNews<Meta>) => void): () => void;
}

/**
 * Keeps a write until it is delivered. The entry is committed with strict durability before it is sent, and it is
 * removed only after its answer has been classified; the same `Idempotency-Key` goes with every sending.
 *
 * @throws {StorageError} from a call whose write could not be committed: it was not accepted.
 * @throws {CapacityError} from a call when the outbox is full, or the body too large.
 */
export function outboxPolicy(options: OutboxOptions, defaultStore: () => AtomicStore): Outbox {
  const settings = readOutboxOptions(options, options.store ?? defaultStore());
  let assembled: Parts | undefined;
  const parts = (): Parts => {
    if (assembled) return assembled;
    throw new ConfigurationError(
      'outbox',
      'this outbox',
      'it has to be part of a pipeline before it is used',
    );
  };

  let noticed = (_call: Call): void => {};

  const policy = stage({
    attach(pipeline, inside) {
      if (assembled)
        throw new ConfigurationError('outbox', 'this outbox', 'another client has it; make one for each');
      takeName(pipeline, settings.store, {
        retire: () => assembled?.sender.gate.retire(),
        reclaim() {
          assembled?.sender.gate.reclaim();
          assembled?.wake('asked');
        },
      });
      const mine = assemble(inside, pipeline, settings);
      assembled = mine;
      pipeline.onClose(() => void givenBack(settings.store, pipeline, mine.lasting));
      noticed = onSignIn(pipeline, mine.wake);
    },
    enter(run): Promise<void> | undefined {
      const { call, pipeline, method } = run;
      noticed(call);
      if (SAFE_METHODS.includes(method)) return undefined;
      const wanted = wantedFor(run, settings);
      if (wanted === undefined) return undefined;
      checkCall(call, wanted, pipeline);
      const own = createAborter();
      const enqueued = enqueue(run.request, { ...call, signal: own.signal }, readCallOutbox(wanted), parts());
      return run.wait(Number.POSITIVE_INFINITY, enqueued, own.abort).then((response) => {
        run.response = response;
      });
    },
  });

  const ask = async <T>(work: (parts: Parts) => Promise<T>): Promise<T> => {
    const mine = parts();
    return mine.ask(() => work(mine));
  };
  /** For what asks more than once. @throws {ClosedError} once the pipeline was closed. */
  const open = (): Parts => {
    const mine = parts();
    mine.pipeline.signal.throwIfAborted();
    return mine;
  };
  const find = (id: string): Promise<OutboxEntry | undefined> =>
    ask(({ queue, pipeline }) => queue.find(pipeline.partition(), id));

  return Object.assign(
    named('outbox', policy, {
      needsPartition: true,
      signOut: signsOut(async ({ partition, undelivered }) => {
        if (undelivered === 'remove') return { undelivered: await clear(partition, open()) };
        const { waiting, dead } = await ask((mine) => counts(undefined, mine));
        await ask(({ queue }) => queue.leftovers.forgetResponses(partition));
        return { undelivered: waiting + dead };
      }),
    }),
    {
      idempotencyHeader: settings.idempotencyHeader,
      async result(id: string) {
        const entry = await find(id);
        if (entry?.state === 'waiting') return answerOf(await awaited(entry, parts()));
        const stored = await ask(({ queue, pipeline }) => queue.resultOf(pipeline.partition(), id));
        if (stored) return answerOf(stored);
        // A dead letter is kept longer than its answer.
        if (entry?.reason) throw new UndeliveredError('dead-lettered', id, entry.reason);
        if (await ask(({ queue, pipeline }) => queue.isRemembered({ partition: pipeline.partition(), id })))
          throw lost(id);
        throw new UndeliveredError('outbox-unknown', id, { code: 'unknown' });
      },
      entries: async (query: EntriesQuery = {}) =>
        ask(async ({ queue, pipeline }) => {
          const partition = currentPartition(pipeline);
          return partition === undefined ? [] : queue.list(partition, readQuery(query));
        }),
      counts: async (query: LaneQuery = {}) => ask((mine) => counts(readLaneQuery(query).lane, mine)),
      lanes: async () => ask(lanes),
      request: async (id: string) => ask((mine) => requestOf(id, mine)),
      async edit(id: string, change: Parameters<Outbox['edit']>[1]) {
        functionRule(change, 'edit.change');
        return edit(id, change, open());
      },
      replay: async (id: string, options: ReplayOptions = {}) =>
        ask((mine) => replay(id, readReplay(options), mine)),
      async remove(id: string) {
        const entry = await ask(({ queue, pipeline }) => queue.find(pipeline.partition(), id, 'as it is'));
        return entry ? ask(({ outcomes }) => outcomes.remove(entry)) : false;
      },
      purge: async () => purge(open()),
      export: (query: EntriesQuery = {}) => exported(readQuery(query), parts()),
      clear: async (of: ClearOptions = {}) => {
        const mine = open();
        const { partition = mine.pipeline.partition() } = readClear(of);
        return clear(partition, mine);
      },
      flush: async (options: FlushOptions = {}) => flush(readFlush(options), open()),
      pause: async (query: LaneQuery = {}) => ask((mine) => pause(readLaneQuery(query).lane, mine)),
      resume: async (query: LaneQuery = {}) => resume(readLaneQuery(query).lane, open()),
      subscribe(listener: (news: OutboxNews) => void) {
        functionRule(listener, 'subscribe.listener');
        return parts().news.subscribe(listener);
      },
    },
  );
}

/** What the call says of the outbox, if the write is to be kept. Reads pass it by: a route or `extend` speaks for all. */
function wantedFor({ url, call }: Run, { match }: OutboxSettings): unknown {
  return call.options.outbox ?? (match !== undefined && matches(match, url) ? true : undefined);
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
