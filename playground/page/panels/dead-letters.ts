import type { OutboxEntry } from 'holdfast';
import { queue } from '../client.ts';
import { badge, byId, h, list, type Shown, write } from '../dom.ts';
import { changed, whenKept } from '../kept.ts';
import { entryText, why } from '../words.ts';
import { facts } from './facts.ts';

/** What will not be delivered by itself, and why. */
export function showDeadLetters(): void {
  const show = list(byId('dead-letters'), ({ key }: OutboxEntry) => key, letterView);
  whenKept(({ dead }) => {
    show(dead);
    byId('dead-letters-none').hidden = dead.length > 0;
  });
}

function letterView(entry: OutboxEntry): Shown<OutboxEntry> {
  const reason = h('span');
  const problem = h('pre');
  const { element: details, update } = facts();
  const text = entryText(entry);
  const button = (label: string, what: (id: string) => Promise<boolean>) =>
    h(
      'button',
      {
        type: 'button',
        ariaLabel: `${label} dead letter ${text}`,
        onclick: async () => {
          await what(entry.id);
          changed();
        },
      },
      label,
    );
  const element = h(
    'li',
    { className: 'entry' },
    h('div', { className: 'entry-head' }, h('strong', {}, text), reason),
    details,
    problem,
    h('div', { className: 'buttons' }, button('Replay', queue.replay), button('Remove', queue.remove)),
  );
  return {
    element,
    update({ id, attempts, reason: told }) {
      badge(reason, told ? why(told) : 'unknown', 'bad');
      update({ id, attempts: String(attempts) });
      problem.hidden = told?.problem === undefined;
      write(problem, JSON.stringify(told?.problem, null, 2) ?? '');
    },
  };
}
