import type { OutboxEntry } from 'holdfast';
import { queue } from '../client.ts';
import { badge, byId, h, list, type Shown, ticking, write } from '../dom.ts';
import { type Kept, whenKept } from '../kept.ts';
import { entryText, until, why } from '../words.ts';
import { facts } from './facts.ts';

/** What waits to be delivered. */
export function showOutbox(): void {
  let kept: Kept | undefined;
  const show = list(
    byId('outbox'),
    ({ key }: OutboxEntry) => key,
    (entry) => entryView(entry, (of) => (kept ? state(of, kept) : '')),
  );
  const pause = byId<HTMLButtonElement>('outbox-pause');
  const showAll = (): void => {
    if (!kept) return;
    const { waiting, counts } = kept;
    show(waiting);
    byId('outbox-none').hidden = counts.waiting > 0;
    write(byId('outbox-count'), counts.waiting > 0 ? `${counts.waiting}, in order` : '');
    write(pause, counts.paused ? 'Go on' : 'Pause');
    byId<HTMLButtonElement>('outbox-flush').disabled = counts.waiting === 0 || counts.paused !== undefined;
    const more = counts.waiting - waiting.length;
    byId('outbox-more').hidden = more <= 0;
    write(byId('outbox-more'), `and ${more} more`);
  };
  byId('outbox-flush').onclick = () => void queue.flush();
  pause.onclick = () => void (kept?.counts.paused ? queue.resume() : queue.pause());
  whenKept((now) => {
    kept = now;
    showAll();
  });
  ticking(showAll);
  showProgress();
}

/** How far the delivery of several is, whichever tab delivers them. */
function showProgress(): void {
  const bar = byId<HTMLProgressElement>('outbox-progress');
  let done = 0;
  let waiting = 0;
  const show = (): void => {
    const total = done + waiting;
    if (waiting === 0) done = 0;
    byId('outbox-progress-part').hidden = done === 0 || total < 3;
    bar.max = total;
    bar.value = done;
    write(byId('outbox-progress-says'), `${done} of ${total}`);
  };
  queue.subscribe(({ type }) => {
    if (type === 'settled') done++;
  });
  whenKept(({ counts }) => {
    waiting = counts.waiting;
    show();
  });
}

function state({ id, lane, notBefore }: OutboxEntry, { waiting, sending, counts }: Kept): string {
  if (sending.has(id)) return 'being sent';
  if (counts.paused) return 'paused';
  if (waiting.find((other) => other.lane === lane)?.id !== id) return 'waits for those before it';
  return notBefore > Date.now() ? `next try ${until(notBefore)}` : 'due';
}

function entryView(entry: OutboxEntry, stateOf: (entry: OutboxEntry) => string): Shown<OutboxEntry> {
  const word = h('span');
  const { element: details, update } = facts();
  const text = entryText(entry);
  const remove = (): void => void queue.remove(entry.id);
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
