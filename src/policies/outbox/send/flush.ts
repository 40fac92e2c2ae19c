import { currentPartition } from '../../../core/user.ts';
import { notify } from '../../../primitives/notify.ts';
import type { OutboxContext } from '../context.ts';
import type { FlushOptions, FlushProgress } from '../queue/queries.ts';
import { sortableTimestamp } from '../queue/records.ts';

/** Sends all waiting entries now. If no user is signed in, there are none. */
export async function flush(
  { due, signal, onProgress }: FlushOptions,
  { queue, pipeline, scheduler, events }: OutboxContext,
): Promise<FlushProgress> {
  const partition = currentPartition(pipeline);
  if (partition === undefined) return { total: 0, delivered: 0, deadLetters: 0, left: 0 };
  const [total, { lastTimestamp }] = await Promise.all([queue.count('waiting', partition), queue.totals()]);
  /** Before the keys of all entries that are accepted from now on. */
  const end = queue.keys.entry(sortableTimestamp(lastTimestamp + 1));
  const counts = { delivered: 0, 'dead-lettered': 0, removed: 0 };
  const seen = new Set<string>();
  const progress = (): FlushProgress => {
    const { delivered, 'dead-lettered': deadLetters, removed } = counts;
    const left = Math.max(0, total - delivered - deadLetters - removed);
    return { total, delivered, deadLetters, left };
  };
  const unwatch = events.watch(({ event, partition: owner, key }) => {
    const isEnd = event?.type === 'settled';
    if (owner !== partition || key === undefined || !(isEnd || event?.type === 'replayed')) return;
    // Entries that were enqueued or replayed since then do not count, and each counts once.
    if (key >= end || seen.has(key)) return;
    seen.add(key);
    if (!isEnd) return;
    counts[event.outcome]++;
    if (onProgress) notify(onProgress, progress());
  });
  try {
    await scheduler.flush(signal, due ? 'all' : 'none');
    events.recheckAll();
  } finally {
    unwatch();
  }
  return { ...progress(), left: await queue.count('waiting', partition) };
}
