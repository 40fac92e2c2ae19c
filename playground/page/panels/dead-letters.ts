import type { OutboxEntry } from 'holdfast';
import { queue } from '../client.ts';
import { badge, byId, h, list, type Shown, write } from '../dom.ts';
import { whenKept } from '../kept.ts';
import { announce } from '../news.ts';
import { entryText, why } from '../words.ts';
import { facts } from './facts.ts';

/** What will not be delivered by itself, and why. */
export function showDeadLetters(): void {
  const show = list(byId('dead-letters'), ({ key }: OutboxEntry) => key, letterView);
  whenKept(({ dead, counts }) => {
    show(dead);
    byId('dead-letters-none').hidden = counts.deadLetters > 0;
  });
}

function letterView(entry: OutboxEntry): Shown<OutboxEntry> {
  const reason = h('span');
  const problem = h('pre');
  const { element: details, update } = facts();
  const text = entryText(entry);
  const editor = letterEditor(entry, text);
  const button = (label: string, onclick: () => unknown) =>
    h('button', { type: 'button', ariaLabel: `${label} dead letter ${text}`, onclick }, label);
  const element = h(
    'li',
    { className: 'entry' },
    h('div', { className: 'entry-head' }, h('strong', {}, text), reason),
    details,
    problem,
    h(
      'div',
      { className: 'buttons' },
      button('Replay', () => queue.replay(entry.id)),
      button('Edit', editor.open),
      button('Remove', () => queue.remove(entry.id)),
    ),
    editor.element,
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

/** The body of a dead letter, to be mended. It is replayed with what has been written, under a new key. */
function letterEditor({ id }: OutboxEntry, text: string) {
  const body = h('textarea', { rows: 3, ariaLabel: `Body of ${text}` });
  const element = h(
    'form',
    { className: 'letter', hidden: true },
    body,
    h('button', { type: 'submit', className: 'main', ariaLabel: `Send ${text} as it is now` }, 'Send this'),
  );
  element.onsubmit = async (event) => {
    event.preventDefault();
    try {
      await queue.edit(id, (request) => new Request(request, { body: body.value }));
      await queue.replay(id);
    } catch (error) {
      announce('not changed', String(error), 'bad');
    }
  };
  const open = async (): Promise<void> => {
    body.value = (await (await queue.request(id))?.text()) ?? '';
    element.hidden = false;
    body.focus();
  };
  return { element, open };
}
