import type { OutboxCounts, OutboxEntry } from 'holdfast';
import { queue } from './client.ts';

/** What the outbox holds; of long lists the beginning. */
export interface Queue {
  readonly waiting: readonly OutboxEntry[];
  readonly dead: readonly OutboxEntry[];
  readonly counts: OutboxCounts;
}

/** How many entries are shown. */
const PAGE = 5;
/** The pause between two reads, in ms: faster changes cannot be seen. */
const PAUSE = 50;

const views: ((queue: Queue) => void)[] = [];
let isReading = false;
let hasChanged = false;

// Events of this tab and of the others: all tabs share one queue.
queue.subscribe(() => void readAgain());

/** Calls `show` with the content of the outbox, now and after each change. */
export function onQueue(show: (queue: Queue) => void): void {
  views.push(show);
  void readAgain();
}

async function readAgain(): Promise<void> {
  hasChanged = true;
  if (isReading) return;
  isReading = true;
  try {
    while (hasChanged) {
      hasChanged = false;
      const [waiting, dead, counts] = await Promise.all([
        queue.entries({ state: 'waiting', limit: PAGE }),
        queue.entries({ state: 'dead-letter', limit: PAGE }),
        queue.counts(),
      ]);
      for (const show of views) show({ waiting, dead, counts });
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  } finally {
    isReading = false;
  }
}
