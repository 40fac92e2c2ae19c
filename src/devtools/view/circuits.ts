import type { CircuitTransition } from '../model/circuits.ts';
import { durationText, type Tone, timeOfDay } from '../model/words.ts';
import type { ClientSource } from '../source.ts';
import { button, children, chip, facts, h, style, urlView, write, writeUrl } from './dom.ts';
import { actions, details, type Panel } from './panel.ts';
import { type RowView, VirtualList } from './virtual-list.ts';

interface Circuit {
  readonly origin: string;
  readonly state: string;
  readonly retryAt?: number | undefined;
  readonly changes: readonly CircuitTransition[];
  readonly now: number;
}

const TONES: Readonly<Record<string, Tone>> = {
  closed: 'good',
  open: 'bad',
  isolated: 'bad',
  'half-open': 'waiting',
};

const MEANINGS: Readonly<Record<string, string>> = {
  closed: 'Calls go through.',
  open: 'Nothing is sent. Calls wait for a probe, or are refused.',
  'half-open': 'One probe is under way. If it succeeds, the circuit closes.',
  isolated: 'Nothing is sent until you reset it.',
};

/** So much time the strip covers, in ms. */
const WINDOW = 120_000;

/** The circuit of each origin and path: its state over time, and what opened it. */
export function circuitsPanel(): Panel {
  let shown: ClientSource | undefined;
  let origin: string | undefined;
  const isolate = button('Isolate', () => act('Isolate', (breaker) => breaker.isolate(origin ?? '')));
  const reset = button('Reset', () => act('Reset', (breaker) => breaker.reset(origin)));
  const bar = actions(isolate, reset);
  const hint = h(
    'p',
    { class: 'hint' },
    'To isolate and reset, give devtools() the breaker() of the client.',
  );
  const meaning = h('p', {});
  const known = h('dl');
  const failed = h('ul', { class: 'plain' });
  const history = h('ol', { class: 'steps', 'aria-label': 'Changes' });
  const changes = h('h3', {}, 'Changes');
  const pane = details('Details of the circuit', () => list.focus());
  pane.body.append(
    meaning,
    known,
    bar.element,
    hint,
    h('h3', {}, 'Failed attempts before it opened'),
    failed,
    changes,
    history,
  );
  const list = new VirtualList<Circuit>({
    label: 'Circuits',
    empty: 'No circuit has changed yet. Every origin starts closed.',
    keyOf: (circuit) => circuit.origin,
    make: circuitRow,
    selected(circuit) {
      origin = circuit?.origin;
      if (circuit) pane.show(circuit.origin);
      if (shown) update(shown, Date.now());
    },
  });
  const act = (
    what: string,
    work: (breaker: NonNullable<ClientSource['parts']['breaker']>) => void,
  ): void => {
    const breaker = shown?.parts.breaker;
    if (breaker) void bar.run(what, () => work(breaker));
    if (shown) update(shown, Date.now());
  };

  function update(source: ClientSource, now: number): void {
    if (shown !== source) pane.hide();
    shown = source;
    const circuits = circuitsOf(source, now);
    list.show(circuits);
    const current = circuits.find((circuit) => circuit.origin === origin);
    if (!current || !pane.isShown) return;
    const { opened } = source.model.circuits.records.get(current.origin) ?? {};
    const { breaker } = source.parts;
    hint.hidden = breaker !== undefined;
    bar.element.hidden = breaker === undefined;
    isolate.disabled = current.state === 'isolated';
    reset.disabled = current.state === 'closed';
    write(meaning, MEANINGS[current.state] ?? '');
    facts(known, [
      ['State', current.state],
      ['Next probe', current.retryAt === undefined ? undefined : timeOfDay(current.retryAt)],
      ['Opened at', opened && timeOfDay(opened.at)],
      ['Because of', opened?.lastFailure],
      ['Failures in a row', opened?.failures === undefined ? undefined : String(opened.failures)],
    ]);
    children(failed, opened?.failed ?? ['none known'], () => h('li'), write);
    changes.hidden = current.changes.length === 0;
    children(
      history,
      current.changes.toReversed(),
      () => h('li', {}, h('time'), h('span')),
      ({ children: [when, what] }, { at, to }) => {
        if (when) write(when, timeOfDay(at));
        if (what) chip(what, to, TONES[to] ?? 'plain');
      },
    );
  }

  return {
    name: 'Circuits',
    element: h('div', { class: 'panel' }, h('div', { class: 'split' }, list.element, pane.element)),
    update,
  };
}

/** What the breaker knows, and what events say; those that are not closed first. */
function circuitsOf({ parts, model }: ClientSource, now: number): Circuit[] {
  const states = parts.breaker?.states() ?? {};
  const { records } = model.circuits;
  return [...new Set([...Object.keys(states), ...records.keys()])]
    .map((origin) => ({
      origin,
      state: states[origin]?.state ?? records.get(origin)?.state ?? 'closed',
      retryAt: states[origin]?.retryAt,
      changes: records.get(origin)?.changes ?? [],
      now,
    }))
    .sort((one, other) => Number(one.state === 'closed') - Number(other.state === 'closed'));
}

function circuitRow(): RowView<Circuit> {
  const origin = urlView();
  const state = h('span');
  const since = h('span', { class: 'took' });
  const strip = h('span', { class: 'strip', 'aria-hidden': 'true', title: 'The last 2 minutes' });
  return {
    element: h('div', { class: 'circuit' }, state, origin, strip, since),
    update(circuit) {
      const { changes, now } = circuit;
      writeUrl(origin, circuit.origin);
      chip(state, circuit.state, TONES[circuit.state] ?? 'plain');
      const last = changes.at(-1);
      write(since, last ? `for ${durationText(now - last.at)}` : '');
      children(
        strip,
        spans(changes, now),
        () => h('i'),
        (part, { from, to, tone }) => {
          if (part.className !== tone) part.className = tone;
          style(part, 'left', `${from}%`);
          style(part, 'width', `${to - from}%`);
        },
      );
    },
  };
}

/** The parts of the strip in percent. Before its first change a circuit was closed. */
function spans(
  changes: readonly CircuitTransition[],
  now: number,
): { from: number; to: number; tone: Tone }[] {
  const place = (at: number): number => Math.max(0, Math.min(100, (100 * (at - now + WINDOW)) / WINDOW));
  const all = [{ at: Number.NEGATIVE_INFINITY, to: 'closed' }, ...changes];
  return all
    .map(({ at, to }, index) => ({
      from: place(at),
      to: place(all[index + 1]?.at ?? now),
      tone: TONES[to] ?? 'plain',
    }))
    .filter(({ from, to }) => to > from);
}
