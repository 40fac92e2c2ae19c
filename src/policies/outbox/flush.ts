import { currentPartition } from '../../core/signed-in.ts';
import { notify } from '../../core/tell.ts';
import type { Parts } from './parts.ts';
import type { FlushOptions, FlushProgress } from './queries.ts';
import type { Fate } from './sender.ts';

/** Tries all that waits now. Where nobody is signed in there is nothing that may be sent. */
export async function flush({ due, signal, onProgress }: FlushOptions, parts: Parts): Promise<FlushProgress> {
  const { queue, pipeline, sender, answers, ask } = parts;
  const partition = currentPartition(pipeline);
  if (partition === undefined) return { total: 0, delivered: 0, dead: 0, left: 0 };
  const waiting = (): Promise<number> => ask(() => queue.count('waiting', partition));
  const [total, next] = await Promise.all([waiting(), ask(() => queue.nextKey())]);
  const tally = new Tally(total);
  const seen = ({ key, partition: whose }: { key: string; partition: string }, fate: Fate): void => {
    // What was given, or replayed, since then is not what waited.
    if (whose !== partition || key >= next || !tally.count(key, fate)) return;
    if (onProgress) notify(onProgress, tally.progress);
  };
  sender.fates.add(seen);
  try {
    await sender.flush(signal, due ? 'all' : 'none');
    answers.look();
  } finally {
    sender.fates.delete(seen);
  }
  return { ...tally.progress, left: await waiting() };
}

/** What has become of the entries that waited. */
class Tally {
  readonly #total: number;
  readonly #ends = { delivered: 0, 'dead-lettered': 0, removed: 0 };
  /** Each counts once. */
  readonly #seen = new Set<string>();

  constructor(total: number) {
    this.#total = total;
  }

  /** @returns whether it counts. */
  count(key: string, fate: Fate): boolean {
    const isNew = !this.#seen.has(key);
    this.#seen.add(key);
    if (isNew && fate !== 'revived') this.#ends[fate]++;
    return isNew && fate !== 'revived';
  }

  get progress(): FlushProgress {
    const { delivered, 'dead-lettered': dead, removed } = this.#ends;
    return {
      total: this.#total,
      delivered,
      dead,
      left: Math.max(0, this.#total - delivered - dead - removed),
    };
  }
}
