import { redact } from '../../observability/log/redact.ts';
import type { OutboxEntry } from '../../policies/outbox/queue/entry.ts';
import { holdOf, holdOfAll } from '../holds.ts';
import { sentenceOf } from '../model/why.ts';
import { bytesText, durationText, failureText, shownUrl, type Tone, timeOfDay } from '../model/words.ts';
import type { ClientSource, DevtoolsParts } from '../source.ts';
import { attribute, button, chip, facts, h, select, urlView, write, writeUrl } from './dom.ts';
import { lanesView } from './lanes.ts';
import { actions, details, type Panel } from './panel.ts';
import { type RowView, VirtualList } from './virtual-list.ts';

type Box = NonNullable<DevtoolsParts['outbox']>;

const NONE = { waiting: 'Nothing waits.', 'dead-letter': 'There is no dead letter.' } as const;
const NO_PART = 'To see queued writes, give devtools() the outbox() of the client.';

/** Writes on their way: lanes, entries that wait, and dead letters. */
export function outboxPanel(): Panel {
  let shown: ClientSource | undefined;
  let seen = -1;
  let current: OutboxEntry | undefined;
  const state = select(
    [
      ['waiting', 'Waiting'],
      ['dead-letter', 'Dead letters'],
    ],
    () => shown && update(shown, Date.now()),
  );
  attribute(state, 'aria-label', 'Entries');
  const pause = button('Pause', () => toggle());
  const flush = button('Flush', () => act('Flush', (box) => box.flush()));
  const says = h('span', { class: 'count' });
  const bar = actions(pause, flush);
  const hold = h('p', { class: 'notice', hidden: true });
  const lanes = lanesView((lane, isPaused) =>
    act(isPaused ? 'Resume' : 'Pause', (box) => (isPaused ? box.resume({ lane }) : box.pause({ lane }))),
  );
  const detail = entryDetails(
    () => shown,
    () => list.focus(),
  );
  const list = new VirtualList<OutboxEntry>({
    label: 'Entries, oldest first',
    empty: NO_PART,
    keyOf: ({ key }) => key,
    make: () => entryRow(() => shown),
    selected(entry) {
      current = entry;
      if (entry) detail.show(entry);
    },
    nearEnd: () => shown && listingOf(shown).more(),
  });

  const listingOf = (source: ClientSource) => (state.value === 'waiting' ? source.waiting : source.dead);

  const act = (what: string, work: (box: Box) => unknown): void => {
    const box = shown?.parts.outbox;
    if (box) void bar.run(what, () => work(box)).then(() => shown && refresh(shown));
  };

  const toggle = (): void =>
    shown?.counts?.paused ? act('Resume', (box) => box.resume()) : act('Pause', (box) => box.pause());

  function refresh(source: ClientSource): void {
    source.model.queue.version++;
    source.waiting.refresh();
    source.dead.refresh();
    source.count();
  }

  function update(source: ClientSource, now: number): void {
    const { model, parts, counts } = source;
    if (shown !== source) {
      detail.hide();
      seen = -1;
    }
    shown = source;
    if (seen !== model.queue.version) {
      seen = model.queue.version;
      source.waiting.refresh();
      source.dead.refresh();
    }
    bar.element.hidden = state.hidden = !parts.outbox;
    const paused = counts?.paused;
    write(pause, paused ? 'Resume' : 'Pause');
    flush.disabled = paused !== undefined;
    write(
      says,
      counts ? `${counts.waiting} waiting, ${counts.deadLetters} dead${paused ? ', paused' : ''}` : '',
    );
    lanes.update(source, now);
    const all = counts?.waiting || model.needsUpdate ? holdOfAll(source) : undefined;
    hold.hidden = all === undefined;
    write(hold, all?.why ?? '');
    const listing = listingOf(source);
    list.say(
      !parts.outbox
        ? NO_PART
        : source.isClosed
          ? 'This client is closed. What was queued stays stored.'
          : listing.error !== undefined
            ? `The outbox cannot be read: ${sentenceOf(listing.error)}`
            : NONE[state.value as keyof typeof NONE],
    );
    list.show(listing.items);
    if (current) detail.update(listing.items.find(({ key }) => key === current?.key));
  }

  return {
    name: 'Outbox',
    element: h(
      'div',
      { class: 'panel' },
      h('div', { class: 'toolbar' }, state, bar.element, says),
      hold,
      lanes.element,
      h('div', { class: 'split' }, list.element, detail.element),
    ),
    update,
  };
}

const TONES: Readonly<Record<string, Tone>> = {
  sending: 'good',
  'dead letter': 'bad',
  'reload needed': 'bad',
};

function phaseOf(entry: OutboxEntry, source: ClientSource | undefined): [text: string, tone: Tone] {
  const now = Date.now();
  const is = source ? holdOf(entry, source, now).is : entry.state;
  const tone = TONES[is] ?? 'waiting';
  if (is === 'dead letter' && entry.reason) return [failureText(whyOf(entry)), tone];
  return [is === 'next try' ? `next try in ${durationText(entry.notBefore - now)}` : is, tone];
}

const whyOf = ({ reason }: OutboxEntry): unknown => reason?.status ?? reason;

function entryRow(sourceOf: () => ClientSource | undefined): RowView<OutboxEntry> {
  const [time, method, url, phase, lane] = [h('time'), h('b'), urlView(), h('span'), h('span')];
  lane.className = 'why';
  return {
    element: h('div', { class: 'entry' }, time, method, url, lane, phase),
    update(entry) {
      write(time, timeOfDay(entry.acceptedAt));
      write(method, entry.request.method);
      writeUrl(url, shownUrl(entry.request.url));
      write(lane, entry.lane === entry.origin ? '' : entry.lane);
      chip(phase, ...phaseOf(entry, sourceOf()));
    },
  };
}

function entryDetails(sourceOf: () => ClientSource | undefined, closed: () => void) {
  const pane = details('Details of the entry', closed);
  const known = h('dl');
  const problem = h('pre');
  const body = h('textarea', { rows: 5, 'aria-label': 'Body', spellcheck: 'false' });
  const editor = h('div', { class: 'editor', hidden: true }, h('h3', {}, 'Body'), body);
  let entry: OutboxEntry | undefined;
  const act = (what: string, work: (box: Box, id: string) => Promise<unknown>): void => {
    const box = sourceOf()?.parts.outbox;
    const id = entry?.id;
    if (!box || id === undefined) return;
    void bar.run(what, async () => {
      if ((await work(box, id)) === false) throw new Error('the entry was delivered, replayed or removed');
    });
  };
  const edit = button('Edit', () =>
    act('Edit', async (box, id) => {
      const before = new Uint8Array((await (await box.request(id))?.arrayBuffer()) ?? []);
      // Another entry was selected while the store was read.
      if (entry?.id !== id) return;
      body.value = new TextDecoder('utf-8', { ignoreBOM: true }).decode(before);
      const after = new TextEncoder().encode(body.value);
      if (after.length !== before.length || after.some((byte, at) => byte !== before[at]))
        throw new Error('a text field would change this body: use outbox.edit()');
      editor.hidden = false;
      send.hidden = false;
      body.focus();
    }),
  );
  const send = button('Save and replay', () =>
    act('Replay', async (box, id) => {
      const isEdited = await box.edit(id, (request) => new Request(request, { body: body.value }));
      return isEdited && box.replay(id);
    }),
  );
  const replay = button('Replay', () => act('Replay', (box, id) => box.replay(id)));
  const bar = actions(
    replay,
    edit,
    send,
    button('Remove', () => act('Remove', (box, id) => box.remove(id))),
  );
  pane.body.append(known, problem, bar.element, editor);

  function update(now: OutboxEntry | undefined): void {
    if (!pane.isShown) return;
    // An entry that was delivered, replayed or removed has left the list.
    for (const control of bar.element.querySelectorAll('button')) control.disabled = now === undefined;
    if (now === undefined) {
      facts(known, [['State', 'no longer in this list']]);
      problem.hidden = true;
      return;
    }
    entry = now;
    const source = sourceOf();
    const { state, reason, attempts, lane, id, size, acceptedAt, expiresAt, notBefore, meta } = now;
    const isDead = state === 'dead-letter';
    replay.hidden = edit.hidden = !isDead;
    facts(known, [
      ['State', phaseOf(now, source)[0]],
      ['Why', source && holdOf(now, source, Date.now()).why],
      ['Reason', reason && `${reason.code}${reason.status ? `, status ${reason.status}` : ''}`],
      ['Attempts', String(attempts)],
      ['Lane', lane],
      ['Id', id],
      ['Size', bytesText(size)],
      ['Accepted', timeOfDay(acceptedAt)],
      ['Next try', isDead || notBefore <= Date.now() ? undefined : timeOfDay(notBefore)],
      [
        'Expires in',
        isDead || !Number.isFinite(expiresAt) ? undefined : durationText(expiresAt - Date.now()),
      ],
      ['Meta', meta === undefined ? undefined : JSON.stringify(redact(meta))],
    ]);
    problem.hidden = reason?.problem === undefined;
    write(problem, problem.hidden ? '' : JSON.stringify(redact(reason?.problem), null, 2));
  }

  return {
    element: pane.element,
    hide: pane.hide,
    update,
    show(selected: OutboxEntry) {
      editor.hidden = send.hidden = true;
      pane.show(`${selected.request.method} ${shownUrl(selected.request.url)}`);
      update(selected);
    },
  };
}
