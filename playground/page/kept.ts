import type { OutboxEntry } from 'holdfast';
import { queue } from './client.ts';
import { isOfOutbox, listen } from './events.ts';

/** What the outbox keeps just now. */
export interface Kept {
  readonly waiting: readonly OutboxEntry[];
  readonly dead: readonly OutboxEntry[];
  /** Ids of what this tab is sending. */
  readonly sending: ReadonlySet<string>;
}

const sending = new Set<string>();
const views: ((kept: Kept) => void)[] = [];
let reading: Promise<void> | undefined;
let again = false;

/**
 * The client tells a tab what it does in that tab. All tabs share one queue, so they tell each other to look again.
 */
const otherTabs = new BroadcastChannel('playground');
otherTabs.onmessage = () => void readAgain();

listen((event) => {
  if (!isOfOutbox(event)) return;
  if (!('id' in event)) return changed();
  if (event.type === 'sending') sending.add(event.id);
  else if (event.type !== 'queued') sending.delete(event.id);
  changed();
});

/** To be called when the queue has changed. */
export function changed(): void {
  otherTabs.postMessage('changed');
  void readAgain();
}

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
    const [waiting, dead] = await Promise.all([
      queue.entries({ state: 'waiting' }),
      queue.entries({ state: 'dead' }),
    ]);
    for (const show of views) show({ waiting, dead, sending });
  }
}
