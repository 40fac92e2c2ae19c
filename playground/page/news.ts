import { queue } from './client.ts';
import { byId, h, type Tone, write } from './dom.ts';
import { clockTime, entryText } from './words.ts';

const MOST = 4;

/** Says what happened to an order; screen readers read it out. */
export function announce(word: string, text: string, tone: Tone): void {
  const log = byId('news');
  log.prepend(
    h(
      'p',
      {},
      h('span', { className: `badge ${tone}` }, word),
      h('span', {}, text),
      h('time', {}, clockTime(Date.now())),
    ),
  );
  while (log.children.length > MOST) log.lastElementChild?.remove();
}

const WORDS = {
  delivered: ['delivered', 'good'],
  'dead-lettered': ['refused', 'bad'],
  removed: ['removed', 'plain'],
} as const;

/**
 * Says what becomes of each order, whichever tab accepted it, and which tab sends.
 *
 * @param delivered Called after a delivery: the server has something new.
 */
export function followOrders(delivered: () => void): void {
  queue.subscribe((event) => {
    const by = event.remote ? 'another tab' : 'this tab';
    if (event.type === 'sending')
      write(byId('sender'), `${event.remote ? 'Another tab' : 'This tab'} sends for all tabs.`);
    if (event.type !== 'finished') return;
    const [word, tone] = WORDS[event.outcome];
    announce(word, event.outcome === 'delivered' ? `${entryText(event)}, by ${by}` : entryText(event), tone);
    if (event.outcome === 'delivered') delivered();
  });
}
