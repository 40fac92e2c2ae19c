import { currentPartition } from '../../core/signed-in.ts';
import { hold, holdsOf } from './holds.ts';
import type { Parts } from './parts.ts';
import { dueIn } from './schedule.ts';

export interface OutboxCounts {
  /** The current user's, or of one lane of theirs. */
  readonly waiting: number;
  readonly dead: number;
  /** What waits, of all users: what the limits are for. */
  readonly count: number;
  /** Bytes of their bodies. */
  readonly bytes: number;
  /** Nothing of the current user's is sent: the application has paused it, or their credentials were refused. */
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
  { queue, pipeline, sender }: Parts,
): Promise<OutboxCounts> {
  const partition = currentPartition(pipeline);
  if (partition === undefined) return { waiting: 0, dead: 0, ...(await queue.totals()) };
  const [waiting, dead, totals, { all }] = await Promise.all([
    queue.count('waiting', partition, lane),
    queue.count('dead-letter', partition, lane),
    queue.totals(),
    holdsOf(queue.rows, partition),
  ]);
  const paused = all ? 'application' : sender.gate.isPaused(partition) ? 'credentials' : undefined;
  return { waiting, dead, ...totals, ...(paused && { paused }) };
}

/** The current user's lanes in which something waits, or that are paused or stopped. */
export async function lanes({ queue, pipeline }: Parts): Promise<LaneInfo[]> {
  const partition = currentPartition(pipeline);
  if (partition === undefined) return [];
  const now = pipeline.host.clock.now();
  const [named, holds] = await Promise.all([queue.lanes(partition), holdsOf(queue.rows, partition)]);
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
  { queue, pipeline, news, sender }: Parts,
): Promise<void> {
  const partition = pipeline.partition();
  if (!(await hold(queue.rows, partition, lane, true))) return;
  sender.gate.changed();
  news.tell({ type: 'outbox-held', lane }, partition);
}

/** Goes on with a lane, or with all that was paused, also after a 401. */
export async function resume(
  lane: string | undefined,
  { queue, pipeline, news, sender, ask, wake }: Parts,
): Promise<void> {
  const partition = pipeline.partition();
  await ask(() => hold(queue.rows, partition, lane, false));
  sender.gate.changed();
  if (lane === undefined) sender.gate.resume(partition);
  news.tell({ type: 'outbox-resumed', lane }, partition);
  if (lane === undefined) wake('asked');
  else void sender.drain(partition, lane, 'asked');
}

/** Removes everything of a user: what waits, dead letters, answers. */
export async function clear(partition: string, { queue, outcomes, pipeline, ask }: Parts): Promise<number> {
  let removed = 0;
  for (const state of ['waiting', 'dead-letter'] as const)
    for (;;) {
      const entries = await ask(() => queue.list(partition, { state, limit: PAGE }, 'as it is'));
      if (entries.length === 0) break;
      for (const entry of entries) if (await ask(() => outcomes.remove(entry))) removed++;
    }
  await ask(() => queue.leftovers.forget(partition, pipeline.host.clock.now()));
  return removed;
}
