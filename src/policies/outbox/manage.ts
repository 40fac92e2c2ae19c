import { hold, holdsOf } from './holds.ts';
import type { FlushOptions, FlushProgress, FlushReport } from './options.ts';
import type { Parts } from './parts.ts';
import { signedIn } from './signed-in.ts';
import { answered } from './trouble.ts';

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
  /** The dead letter that stops it (`strict`). */
  readonly stoppedBy?: string;
}

/** How many entries are read together. */
const PAGE = 100;

export async function counts(
  lane: string | undefined,
  { queue, home, sender }: Parts,
): Promise<OutboxCounts> {
  const partition = home.partition();
  const [waiting, dead, totals, { all }] = await Promise.all([
    queue.count('waiting', partition, lane),
    queue.count('dead', partition, lane),
    queue.totals(),
    holdsOf(queue.rows, partition),
  ]);
  const paused = all ? 'application' : sender.gate.isPaused(partition) ? 'credentials' : undefined;
  return { waiting, dead, ...totals, ...(paused && { paused }) };
}

/** The current user's lanes in which something waits, or that are paused or stopped. */
export async function lanes({ queue, home }: Parts): Promise<LaneInfo[]> {
  const partition = home.partition();
  const [named, holds] = await Promise.all([queue.lanes(partition), holdsOf(queue.rows, partition)]);
  const stopped = new Map(holds.stopped);
  const all = [...new Set([...named, ...holds.lanes, ...stopped.keys()])].sort();
  return Promise.all(
    all.map(async (lane) => {
      const stopper = stopped.get(lane);
      const stoppedBy = stopper === undefined ? undefined : (await queue.get(stopper))?.id;
      return {
        lane,
        waiting: await queue.count('waiting', partition, lane),
        paused: holds.all === true || holds.lanes.includes(lane),
        ...(stoppedBy !== undefined && { stoppedBy }),
      };
    }),
  );
}

/** Pauses a lane, or all lanes of the current user: in every tab, and after a reload. */
export async function pause(lane: string | undefined, { queue, home, news, sender }: Parts): Promise<void> {
  const partition = home.partition();
  if (!(await hold(queue.rows, partition, lane, true))) return;
  sender.gate.changed();
  news.tell({ type: 'outbox-held', lane }, partition);
}

/** Goes on with a lane, or with all that was paused, also after a 401. */
export async function resume(
  lane: string | undefined,
  { queue, home, news, sender, settings }: Parts,
): Promise<void> {
  const partition = home.partition();
  await answered(home, settings.store, hold(queue.rows, partition, lane, false));
  sender.gate.changed();
  if (lane === undefined) sender.gate.resume(partition);
  news.tell({ type: 'outbox-resumed', lane }, partition);
  if (lane === undefined) await sender.wake('asked');
  else void sender.drain(partition, lane, 'asked');
}

/** Tries all that waits now. Where nobody is signed in there is nothing that may be sent. */
export async function flush({ signal, onProgress }: FlushOptions, parts: Parts): Promise<FlushReport> {
  const { queue, home, news, sender, settings, answers } = parts;
  const partition = signedIn(home);
  if (partition === undefined) return { total: 0, delivered: 0, dead: 0, left: 0, held: 0 };
  const waiting = (): Promise<number> => answered(home, settings.store, queue.count('waiting', partition));
  const total = await waiting();
  const ends = { delivered: 0, 'dead-lettered': 0, removed: 0 };
  const progress = (): FlushProgress => {
    const { delivered, 'dead-lettered': dead, removed } = ends;
    return { total, delivered, dead, left: Math.max(0, total - delivered - dead - removed) };
  };
  const unsubscribe = news.subscribe((event) => {
    if (event.type !== 'settled') return;
    ends[event.outcome]++;
    onProgress?.(progress());
  });
  try {
    await sender.wake('none', signal);
    answers.look();
  } finally {
    unsubscribe();
  }
  const left = await waiting();
  return { ...progress(), left, held: await heldOf(partition, left, parts) };
}

/** How many of those that wait may not be sent, whatever the network does. */
async function heldOf(partition: string, waiting: number, { queue, sender }: Parts): Promise<number> {
  const { all, lanes, stopped } = await holdsOf(queue.rows, partition);
  if (all || sender.gate.isPaused(partition)) return waiting;
  const held = new Set([...lanes, ...stopped.map(([lane]) => lane)]);
  const counts = await Promise.all([...held].map((lane) => queue.count('waiting', partition, lane)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Removes everything of a user: what waits, dead letters, answers. */
export async function clear(partition: string, { queue, outcomes, home, settings }: Parts): Promise<number> {
  let removed = 0;
  for (const state of ['waiting', 'dead'] as const)
    for (;;) {
      const entries = await answered(home, settings.store, queue.list(partition, { state, limit: PAGE }));
      if (entries.length === 0) break;
      for (const entry of entries) if (await outcomes.remove(entry)) removed++;
    }
  await queue.forget(partition);
  return removed;
}
