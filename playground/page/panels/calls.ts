import { createCalls, type Row, type Step } from '../calls.ts';
import { badge, byId, h, list, type Shown, ticking, write } from '../dom.ts';
import { listen } from '../events.ts';
import { nameOf } from '../fates.ts';
import { clockTime, span } from '../words.ts';

/** As wide as the whole timeline, in ms: a little more than a call may last. */
const WIDTH = 6000;

/** Outages last longer than a line is wide. */
const MOST_STEPS = 14;

/** A row for each call, with what was done for it one after the other. */
export function showCalls(): void {
  const { rows, receive } = createCalls(nameOf);
  const show = list(byId('calls'), ({ key }: Row) => key, rowView);
  const showAll = (): void => {
    show(rows);
    byId('calls-none').hidden = rows.length > 0;
  };
  listen((event) => {
    receive(event);
    showAll();
  });
  ticking(showAll);
}

function rowView({ title, from }: Row): Shown<Row> {
  const word = h('span');
  const took = h('span', { className: 'detail' });
  const earlier = h('p', { className: 'detail', hidden: true });
  const steps = h('ol', { className: 'steps', ariaLabel: `Timeline of ${title}` });
  const show = list(steps, ([place]: [number, Step]) => String(place), stepView);
  const element = h(
    'li',
    { className: 'call' },
    h('div', { className: 'entry-head' }, h('strong', {}, title), word, took, h('time', {}, clockTime(from))),
    earlier,
    steps,
  );
  return {
    element,
    update({ steps: all, end }) {
      badge(word, end?.text ?? 'under way', end?.tone ?? 'plain');
      write(took, span(end?.ms ?? Date.now() - from));
      const left = Math.max(0, all.length - MOST_STEPS);
      earlier.hidden = left === 0;
      write(earlier, `${left} earlier`);
      show([...all.entries()].slice(left));
      steps.hidden = all.length === 0;
    },
  };
}

function stepView(): Shown<[number, Step]> {
  const element = h('li');
  return {
    element,
    update([, { is, from, ms = Date.now() - from, number, text, tone }]) {
      const known = `step ${is} ${tone}`;
      if (element.className !== known) element.className = known;
      element.style.flexBasis = `${Math.min(60, (ms / WIDTH) * 100)}%`;
      const took = is === 'note' ? '' : ` ${span(ms)}`;
      write(element, `${number ? `${number}: ` : ''}${text}${took}`);
    },
  };
}
