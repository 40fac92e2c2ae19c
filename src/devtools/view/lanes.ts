import type { ClientSource } from '../source.ts';
import { attribute, button, children, h, write } from './dom.ts';

/** So many lanes are drawn; a list of hundreds tells nothing. */
const MOST_LANES = 20;
/** So many marks are drawn for the entries of a lane. */
const MOST_MARKS = 12;
/** How long a delivered entry is shown as new, in ms. */
const NEW = 2_000;

interface Lane {
  readonly lane: string;
  readonly waiting: number;
  readonly sending: number;
  readonly delivered: number;
  readonly isNew: boolean;
  readonly paused: boolean;
  /** All lanes are paused, so one cannot go on by itself. */
  readonly allPaused: boolean;
  readonly stoppedBy: string | undefined;
}

/** Lanes as rows, in which entries move from waiting over sending to delivered. */
export function lanesView(toggle: (lane: string, isPaused: boolean) => void) {
  const body = h('tbody');
  const table = h(
    'table',
    { class: 'lanes' },
    h('caption', {}, 'Lanes'),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...['Lane', 'Waiting', 'Sending', 'Delivered'].map((name) => h('th', { scope: 'col' }, name)),
        h('td'),
      ),
    ),
    body,
  );
  const element = h(
    'div',
    { class: 'lanes-box', hidden: true, tabindex: 0, role: 'region', 'aria-label': 'Lanes' },
    table,
  );

  function rowView(): HTMLElement {
    const pause = button('Pause', () => toggle(pause.dataset.lane ?? '', pause.dataset.paused === 'true'));
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }),
      ...['waiting', 'sending', 'delivered'].map((phase) =>
        h('td', { class: phase }, h('span', { class: 'marks', 'aria-hidden': 'true' }), h('span')),
      ),
      h('td', {}, pause),
    );
  }

  return {
    element,
    update(source: ClientSource, now: number) {
      const lanes = lanesOf(source, now);
      element.hidden = lanes.length === 0;
      children(body, lanes, rowView, showRow);
    },
  };
}

function lanesOf({ lanes, model, counts }: ClientSource, now: number): Lane[] {
  const listed = new Map(lanes.map((info) => [info.lane, info]));
  const names = [...new Set([...listed.keys(), ...model.queue.lanes.keys()])].slice(0, MOST_LANES);
  return names.map((lane) => {
    const info = listed.get(lane);
    const record = model.queue.lanes.get(lane);
    const sending = record?.sending.size ?? 0;
    return {
      lane,
      // What is on the wire still waits for its acknowledgement.
      waiting: Math.max(0, (info?.waiting ?? 0) - sending),
      sending,
      delivered: record?.delivered ?? 0,
      isNew: now - (record?.arrived.at(-1)?.at ?? 0) < NEW,
      paused: info?.paused ?? false,
      allPaused: counts?.paused !== undefined,
      stoppedBy: info?.stoppedBy,
    };
  });
}

function showRow(row: HTMLElement, lane: Lane): void {
  const [name, waiting, sending, delivered, action] = row.children as unknown as HTMLElement[];
  if (!name || !waiting || !sending || !delivered || !action) return;
  write(name, lane.lane + (lane.stoppedBy === undefined ? '' : ` (stopped by ${lane.stoppedBy})`));
  showCell(waiting, lane.waiting, false);
  showCell(sending, lane.sending, lane.sending > 0);
  showCell(delivered, lane.delivered, lane.isNew);
  const pause = action.firstElementChild as HTMLButtonElement;
  pause.disabled = lane.allPaused;
  pause.dataset.lane = lane.lane;
  write(pause, lane.paused ? 'Resume' : 'Pause');
  pause.dataset.paused = String(lane.paused);
  attribute(pause, 'aria-label', `${lane.paused ? 'Resume' : 'Pause'} lane ${lane.lane}`);
}

function showCell(cell: HTMLElement, count: number, isActive: boolean): void {
  const [marks, text] = cell.children as unknown as HTMLElement[];
  if (!marks || !text) return;
  children(
    marks,
    Array.from({ length: Math.min(count, MOST_MARKS) }),
    () => h('i'),
    () => {},
  );
  cell.classList.toggle('active', isActive);
  write(text, String(count));
}
