import { currentPartition } from '../../core/user.ts';
import type { OutboxContext } from './context.ts';
import { dueIn } from './send/backoff.ts';
import { readPauses, setPaused } from './send/pauses.ts';

export interface OutboxCounts {
  /** Waiting entries of the current user, or of one lane. */
  readonly waiting: number;
  readonly deadLetters: number;
  /** Waiting entries of all users: `maxEntries` limits them. */
  readonly count: number;
  /** Bytes of their bodies: `maxBytes` limits them. */
  readonly bytes: number;
  /** The current user's entries are not sent: the application has paused them, or the credentials were refused. */
  readonly paused?: 'application' | 'credentials';
}

export interface LaneInfo {
  readonly lane: string;
  readonly waiting: number;
  /** The application has paused it. */
  readonly paused: boolean;
  /** The dead letter that stops it (`blockLaneOnFailure`). */
  readonly stoppedBy?: string;
  /** When its next one may be sent; wall time in ms. Absent: nothing waits. */
  readonly dueAt?: number;
}

/** How many entries are read together. */
const PAGE = 100;

export async function counts(
  lane: string | undefined,
  { queue, pipeline, scheduler }: OutboxContext,
): Promise<OutboxCounts> {
  const partition = currentPartition(pipeline);
  if (partition === undefined) return { waiting: 0, deadLetters: 0, ...(await queue.totals()) };
  const [waiting, deadLetters, totals, { all }] = await Promise.all([
    queue.count('waiting', partition, lane),
    queue.count('dead-letter', partition, lane),
    queue.totals(),
    readPauses(queue.records, partition),
  ]);
  const paused = all ? 'application' : scheduler.gate.isPaused(partition) ? 'credentials' : undefined;
  return { waiting, deadLetters, ...totals, ...(paused && { paused }) };
}

/** The current user's lanes that have waiting entries, or are paused or stopped. */
export async function lanes({ queue, pipeline }: OutboxContext): Promise<LaneInfo[]> {
  const partition = currentPartition(pipeline);
  if (partition === undefined) return [];
  const now = pipeline.host.clock.now();
  const [named, holds] = await Promise.all([queue.lanes(partition), readPauses(queue.records, partition)]);
  const stopped = new Map(holds.stopped);
  const all = [...new Set([...named, ...holds.lanes, ...stopped.keys()])].sort();
  return Promise.all(
    all.map(async (lane) => {
      const stopper = stopped.get(lane);
      const stoppedBy = stopper === undefined ? undefined : (await queue.get(stopper))?.id;
      const head = await queue.head(partition, lane);
      return {
        lane,
        waiting: await queue.count('waiting', partition, lane),
        paused: holds.all === true || holds.lanes.includes(lane),
        ...(stoppedBy !== undefined && { stoppedBy }),
        ...(head && { dueAt: now + dueIn(head, now, 'all') }),
      };
    }),
  );
}

/** Pauses a lane, or all lanes of the current user: in every tab, and after a reload. */
export async function pause(
  lane: string | undefined,
  { queue, pipeline, events, scheduler }: OutboxContext,
): Promise<void> {
  const partition = pipeline.partition();
  if (!(await setPaused(queue.records, partition, lane, true))) return;
  scheduler.gate.changed();
  events.emit({ type: 'outbox-paused', lane }, partition);
}

/** Resumes a lane, or all lanes of the current user, also after a 401. */
export async function resume(
  lane: string | undefined,
  { queue, pipeline, events, scheduler, ask, wake }: OutboxContext,
): Promise<void> {
  const partition = pipeline.partition();
  await ask(() => setPaused(queue.records, partition, lane, false));
  scheduler.gate.changed();
  if (lane === undefined) scheduler.gate.resume(partition);
  events.emit({ type: 'outbox-resumed', lane }, partition);
  if (lane === undefined) wake('retry-after');
  else void scheduler.drain(partition, lane, 'retry-after');
}

/** Removes everything of a user: waiting entries, dead letters, results. */
export async function clear(
  partition: string,
  { queue, completions: outcomes, pipeline, ask }: OutboxContext,
): Promise<number> {
  let removed = 0;
  for (const state of ['waiting', 'dead-letter'] as const)
    for (;;) {
      const entries = await ask(() => queue.list(partition, { state, limit: PAGE }, 'best-effort'));
      if (entries.length === 0) break;
      for (const entry of entries) if (await ask(() => outcomes.remove(entry))) removed++;
    }
  await ask(() => queue.cleanup.purgePartition(partition, pipeline.host.clock.now()));
  return removed;
}
