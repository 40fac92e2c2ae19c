import type { OutboxEntry } from 'holdfast';
import { queue } from '../client.ts';
import { badge, byId, h, list, type Shown, ticking } from '../dom.ts';
import { changed, type Kept, whenKept } from '../kept.ts';
import { entryText, until, why } from '../words.ts';
import { facts } from './facts.ts';

/** What waits to be delivered. */
export function showOutbox(): void {
  let kept: Kept = { waiting: [], dead: [], sending: new Set() };
  const show = list(
    byId('outbox'),
    ({ key }: OutboxEntry) => key,
    (entry) => entryView(entry, (of) => state(of, kept)),
  );
  const showAll = (): void => {
    show(kept.waiting);
    byId('outbox-none').hidden = kept.waiting.length > 0;
    byId<HTMLButtonElement>('outbox-flush').disabled = kept.waiting.length === 0;
  };
  byId('outbox-flush').onclick = () => void queue.flush();
  whenKept((now) => {
    kept = now;
    showAll();
  });
  ticking(showAll);
}

function state({ id, lane, notBefore }: OutboxEntry, { waiting, sending }: Kept): string {
  if (sending.has(id)) return 'being sent';
  if (waiting.find((other) => other.lane === lane)?.id !== id) return 'waits for those before it';
  return notBefore > Date.now() ? `next try ${until(notBefore)}` : 'due';
}

function entryView(entry: OutboxEntry, stateOf: (entry: OutboxEntry) => string): Shown<OutboxEntry> {
  const word = h('span');
  const { element: details, update } = facts();
  const text = entryText(entry);
  const remove = async (): Promise<void> => {
    await queue.remove(entry.id);
    changed();
  };
  const element = h(
    'li',
    { className: 'entry' },
    h('div', { className: 'entry-head' }, h('strong', {}, text), word),
    details,
    h(
      'div',
      { className: 'buttons' },
      h('button', { type: 'button', onclick: remove, ariaLabel: `Remove ${text} from the outbox` }, 'Remove'),
    ),
  );
  return {
    element,
    update(now) {
      badge(word, stateOf(now), 'waiting');
      update({
        id: now.id,
        lane: now.lane,
        attempts: String(now.attempts),
        ...(now.reason && { 'last time': why(now.reason) }),
      });
    },
  };
}
