import { currentPartition } from '../../../core/user.ts';
import { notify } from '../../../primitives/notify.ts';
import type { OutboxContext } from '../context.ts';
import type { FlushOptions, FlushProgress } from '../queue/queries.ts';
import type { EntryOutcome } from './scheduler.ts';

/** Sends all waiting entries now. If no user is signed in, there are none. */
export async function flush(
  { due, signal, onProgress }: FlushOptions,
  context: OutboxContext,
): Promise<FlushProgress> {
  const { queue, pipeline, scheduler, waiters, ask } = context;
  const partition = currentPartition(pipeline);
  if (partition === undefined) return { total: 0, delivered: 0, deadLetters: 0, left: 0 };
  const waiting = (): Promise<number> => ask(() => queue.count('waiting', partition));
  const [total, next] = await Promise.all([waiting(), ask(() => queue.nextKey())]);
  const tally = new Tally(total);
  const seen = (
    { key, partition: owner }: { key: string; partition: string },
    outcome: EntryOutcome,
  ): void => {
    // Entries that were enqueued or replayed since then do not count.
    if (owner !== partition || key >= next || !tally.count(key, outcome)) return;
    if (onProgress) notify(onProgress, tally.progress);
  };
  scheduler.listeners.add(seen);
  try {
    await scheduler.flush(signal, due ? 'all' : 'none');
    waiters.recheckAll();
  } finally {
    scheduler.listeners.delete(seen);
  }
  return { ...tally.progress, left: await waiting() };
}

/** Counts the outcomes of the entries that waited. */
class Tally {
  readonly #total: number;
  readonly #ends = { delivered: 0, 'dead-lettered': 0, removed: 0 };
  /** Each counts once. */
  readonly #seen = new Set<string>();

  constructor(total: number) {
    this.#total = total;
  }

  /** @returns whether it counts. */
  count(key: string, outcome: EntryOutcome): boolean {
    const isNew = !this.#seen.has(key);
    this.#seen.add(key);
    if (isNew && outcome !== 'requeued') this.#ends[outcome]++;
    return isNew && outcome !== 'requeued';
  }

  get progress(): FlushProgress {
    const { delivered, 'dead-lettered': deadLetters, removed } = this.#ends;
    return {
      total: this.#total,
      delivered,
      deadLetters,
      left: Math.max(0, this.#total - delivered - deadLetters - removed),
    };
  }
}
