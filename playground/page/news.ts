import { byId, h, type Tone } from './dom.ts';
import { clockTime } from './words.ts';

const MOST = 6;

/** Says what became of a write; screen readers read it out. */
export function announce(word: string, text: string, tone: Tone): void {
  const log = byId('news');
  const line = h(
    'p',
    {},
    h('time', {}, clockTime(Date.now())),
    h('span', { className: `badge ${tone}` }, word),
    h('span', {}, text),
  );
  log.prepend(line);
  while (log.children.length > MOST) log.lastElementChild?.remove();
}
