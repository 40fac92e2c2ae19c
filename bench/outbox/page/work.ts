import { type Asking, counting } from './asking.ts';
import { fill } from './filled.ts';
import { Holdfast } from './holdfast.ts';

/** What one write asks of IndexedDB. */
export type Work = Record<'enqueued singly' | 'enqueued in a burst' | 'drained', Asking>;

const SINGLY = 20;
const BURST = 100;
const DRAINED = 500;

export async function work(): Promise<Work> {
  await fill('work', DRAINED);
  const queue = new Holdfast('work');
  await queue.box.counts();
  const enqueue = (number: number): Promise<void> => queue.enqueue(number, { lane: 'orders' });
  const counted: Work = {
    'enqueued singly': await counting(SINGLY, async () => {
      for (let number = 0; number < SINGLY; number++) await enqueue(number);
    }),
    'enqueued in a burst': await counting(BURST, () =>
      Promise.all(Array.from({ length: BURST }, (_, number) => enqueue(number))),
    ),
    drained: await counting(DRAINED + SINGLY + BURST, () => queue.drain()),
  };
  await queue.close();
  return counted;
}
