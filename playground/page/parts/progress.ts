import { queue } from '../client.ts';
import { byId, write } from '../dom.ts';
import { onQueue } from '../queue.ts';

/** From so many orders on, a progress bar is worth its place. */
const FEW = 3;

/** How far the delivery of several orders is, whichever tab sends them. */
export function showProgress(): void {
  const bar = byId<HTMLProgressElement>('progress');
  let done = 0;
  queue.subscribe(({ type }) => {
    if (type === 'finished') done++;
  });
  onQueue(({ counts: { waiting } }) => {
    if (waiting === 0) done = 0;
    bar.max = done + waiting;
    bar.value = done;
    byId('progress-part').hidden = done === 0 || bar.max < FEW;
    write(byId('progress-says'), `${done} of ${bar.max}`);
  });
}
