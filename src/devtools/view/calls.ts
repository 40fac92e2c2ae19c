import { type CallFilter, type CallRecord, curlOf, passes, type TimelineStep } from '../model/call-record.ts';
import { durationText, timeOfDay } from '../model/words.ts';
import type { ClientSource } from '../source.ts';
import { button, children, chip, facts, field, h, select, style, urlView, write, writeUrl } from './dom.ts';
import { actions, details, type Panel } from './panel.ts';
import { type RowView, VirtualList } from './virtual-list.ts';

const STATUSES = [
  ['', 'any status'],
  ['2', '2xx'],
  ['3', '3xx'],
  ['4', '4xx'],
  ['5', '5xx'],
  ['error', 'no response'],
  ['running', 'under way'],
] as const;

const SOURCES = ['', 'network', 'cache', 'stale', 'outbox', 'fallback'].map(
  (source) => [source, source || 'any source'] as const,
);

/** Each call with its attempts and waits. */
export function callsPanel(): Panel {
  let shown: ClientSource | undefined;
  let current: CallRecord | undefined;
  const text = h('input', { type: 'search', placeholder: 'Filter by URL', oninput: refilter });
  const status = select(STATUSES, refilter);
  const origin = select(SOURCES, refilter);
  const count = h('span', { class: 'count' });
  const list = new VirtualList<CallRecord>({
    label: 'Calls, newest first',
    empty: 'No call yet. What the client does next appears here.',
    keyOf: ({ id }) => id,
    make: callRow,
    selected(call) {
      current = call;
      if (call) detail.show(call);
    },
  });
  const detail = callDetails(
    () => shown?.parts.faults !== undefined,
    () => list.focus(),
  );
  const panel: Panel = { name: 'Calls', element: h('div', { class: 'panel' }), update };
  panel.element.append(
    h(
      'div',
      { class: 'toolbar', role: 'group', 'aria-label': 'Filter calls' },
      field('URL', text),
      field('Status', status),
      field('Source', origin),
      count,
    ),
    h('div', { class: 'split' }, list.element, detail.element),
  );

  function refilter(): void {
    if (shown) update(shown);
  }

  function update(source: ClientSource): void {
    if (shown !== source) detail.hide();
    shown = source;
    const { ring } = source.model.calls;
    const filter: CallFilter = { text: text.value.trim(), status: status.value, source: origin.value };
    const isFiltered = Object.values(filter).some(Boolean);
    const rows = isFiltered ? ring.filter((call) => passes(call, filter)) : ring;
    list.say(
      isFiltered ? 'No call matches the filter.' : 'No call yet. What the client does next appears here.',
    );
    list.show(rows, isFiltered ? rows.length : ring.pushed);
    write(count, isFiltered ? `${rows.length} of ${ring.length}` : `${ring.length} calls`);
    if (current) detail.update(current);
  }

  return panel;
}

function callRow(): RowView<CallRecord> {
  const [time, method, url, end, took] = [h('time'), h('b'), urlView(), h('span'), h('span')];
  const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
  took.className = 'took';
  const element = h('div', { class: 'call' }, time, method, url, end, bar, took);
  let shown: CallRecord | undefined;
  let version = -1;
  return {
    element,
    update(call) {
      // Of the rows in sight only those that have changed are written.
      if (call === shown && call.version === version) return;
      shown = call;
      version = call.version;
      write(time, timeOfDay(call.at));
      write(method, call.method);
      writeUrl(url, call.url);
      chip(end, endText(call), call.end?.tone ?? 'plain');
      write(took, call.end ? durationText(call.end.ms) : '');
      showBar(bar, call);
    },
  };
}

const endText = ({ end }: CallRecord): string => {
  if (!end) return 'under way';
  return end.source && end.source !== 'network' ? `${end.source} ${end.text}` : end.text;
};

/** Attempts and waits as parts of the whole. */
function showBar(bar: HTMLElement, call: CallRecord): void {
  const steps = call.steps.filter(({ kind }) => kind !== 'note').slice(-8);
  children(
    bar,
    steps,
    () => h('i'),
    (part, { kind, tone, ms = 0 }) => {
      if (part.className !== `${kind} ${tone}`) part.className = `${kind} ${tone}`;
      style(part, 'flex-grow', String(Math.max(1, Math.round(ms))));
    },
  );
}

function headersView(title: string) {
  const list = h('dl', { class: 'headers' });
  const element = h('div', {}, h('h3', {}, title), list);
  return {
    element,
    update(headers: CallRecord['request']) {
      element.hidden = !headers?.length;
      facts(list, headers ?? []);
    },
  };
}

/** @param isWatched Whether the client's transport is watched, so that headers are known. */
function callDetails(isWatched: () => boolean, closed: () => void) {
  const pane = details('Details of the call', closed);
  const known = h('dl');
  const steps = h('ol', { class: 'steps', 'aria-label': 'Timeline' });
  const request = headersView('Request headers');
  const response = headersView('Response headers');
  const noHeaders = h(
    'p',
    { class: 'hint' },
    'Headers are shown if the client has fetch: faults.fetch, and devtools() the same faults.',
  );
  const command = h('textarea', { readonly: true, rows: 4, 'aria-label': 'curl command', hidden: true });
  let current: CallRecord | undefined;
  let version = -1;
  const copy = button('Copy as curl', () => {
    if (!current) return;
    const line = curlOf(current);
    void bar.run('Copy', async () => {
      try {
        await navigator.clipboard.writeText(line);
      } catch {
        // Without the permission the user copies it by hand.
        command.hidden = false;
        command.value = line;
        command.select();
        throw new Error('the browser does not allow it; copy the selected text');
      }
    });
  });
  const bar = actions(copy);
  pane.body.append(
    known,
    bar.element,
    command,
    h('h3', {}, 'Timeline'),
    steps,
    request.element,
    response.element,
    noHeaders,
  );
  return {
    element: pane.element,
    hide: pane.hide,
    show(call: CallRecord) {
      pane.show(`${call.method} ${call.url}`);
      version = -1;
      command.hidden = true;
      this.update(call);
    },
    update(call: CallRecord) {
      if (!pane.isShown || (call === current && call.version === version)) return;
      current = call;
      version = call.version;
      const { end, served, operation, entry, origin, id, dropped } = call;
      facts(known, [
        [
          'Result',
          end ? `${end.text || 'no status'}${end.source ? `, from ${end.source}` : ''}` : 'under way',
        ],
        ['Time', end && durationText(end.ms)],
        ['Cached response', served && `${durationText(served.age * 1_000)} old. ${served.why}`],
        ['Operation', operation],
        ['Outbox entry', entry],
        ['Origin', origin],
        ['Call', id],
        ['Left out', dropped ? `${dropped} more steps` : undefined],
      ]);
      children(steps, call.steps, stepView, (element, step) => showStep(element, step, call.at));
      request.update(call.request);
      response.update(call.response);
      noHeaders.hidden = isWatched();
      // An entry that was not sent, or work in the background, has no request to copy.
      copy.disabled = call.kind !== 'call' && call.request === undefined;
    },
  };
}

const stepView = (): HTMLElement => h('li', {}, h('time'), h('span'), h('span', { class: 'took' }));

function showStep(
  element: HTMLElement,
  { at, ms, text, tone, kind, attempt }: TimelineStep,
  from: number,
): void {
  const [when, what, took] = element.children;
  if (!when || !what || !took) return;
  write(when, `+${durationText(at - from)}`);
  chip(what, attempt === undefined ? text : `attempt ${attempt}: ${text}`, tone);
  write(took, kind === 'note' || ms === undefined ? '' : durationText(ms));
}
