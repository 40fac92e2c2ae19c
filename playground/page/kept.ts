import type { OutboxCounts, OutboxEntry } from 'holdfast';
import { queue } from './client.ts';

/** What the outbox keeps just now; of long lists the beginning. */
export interface Kept {
  readonly waiting: readonly OutboxEntry[];
  readonly dead: readonly OutboxEntry[];
  readonly counts: OutboxCounts;
  /** Ids of what this tab is sending. */
  readonly sending: ReadonlySet<string>;
}

/** How many entries are shown. */
const PAGE = 5;

const sending = new Set<string>();
const views: ((kept: Kept) => void)[] = [];
let reading: Promise<void> | undefined;
let again = false;

// In this tab and in the others: they share one queue.
queue.subscribe((news) => {
  if ('id' in news && !news.remote) {
    if (news.type === 'sending') sending.add(news.id);
    else if (news.type !== 'queued') sending.delete(news.id);
  }
  void readAgain();
});

/** Calls `show` with what is kept, now and whenever it changes. */
export function whenKept(show: (kept: Kept) => void): void {
  views.push(show);
  void readAgain();
}

/** One reading at a time, and one more if something happened meanwhile. */
async function readAgain(): Promise<void> {
  again = true;
  reading ??= readAll().finally(() => {
    reading = undefined;
  });
  await reading;
}

async function readAll(): Promise<void> {
  while (again) {
    again = false;
    const [waiting, dead, counts] = await Promise.all([
      queue.entries({ state: 'waiting', limit: PAGE }),
      queue.entries({ state: 'dead-letter', limit: PAGE }),
      queue.counts(),
    ]);
    for (const show of views) show({ waiting, dead, counts, sending });
    // Of all that happens in a moment, nobody could read every step.
    await new Promise((wait) => setTimeout(wait, 50));
  }
}
