import { type LogLine, lineOf } from '../model/model.ts';
import { timeOfDay } from '../model/words.ts';
import type { ClientSource } from '../source.ts';
import { button, download, field, h, write } from './dom.ts';
import { details, type Panel } from './panel.ts';
import { type RowView, VirtualList } from './virtual-list.ts';

/** Every event as a line of JSON. */
export function logPanel(): Panel {
  let shown: ClientSource | undefined;
  const type = h('input', { type: 'search', placeholder: 'Filter by event', oninput: refilter });
  const pause = button('Pause', () => {
    if (!shown) return;
    shown.model.isPaused = !shown.model.isPaused;
    update(shown);
  });
  const save = button('Export', () => {
    if (!shown) return;
    const lines = matching(shown).map(lineOf).reverse();
    download('holdfast-events.jsonl', 'application/x-ndjson', `${lines.join('\n')}\n`);
  });
  const clear = button('Clear', () => {
    shown?.model.log.clear();
    refilter();
  });
  const count = h('span', { class: 'count' });
  const text = h('pre');
  const pane = details('Details of the event', () => list.focus());
  pane.body.append(text);
  const list = new VirtualList<LogLine>({
    label: 'Events, newest first',
    empty: 'No event yet.',
    keyOf: ({ number }) => String(number),
    make: lineRow,
    selected(line) {
      if (!line) return;
      pane.show(line.event.type);
      text.textContent = JSON.stringify(JSON.parse(lineOf(line)), null, 2);
    },
  });

  const matching = ({ model }: ClientSource): LogLine[] => {
    const wanted = type.value.trim().toLowerCase();
    return model.log.filter(({ event }) => event.type.toLowerCase().includes(wanted));
  };

  function refilter(): void {
    if (shown) update(shown);
  }

  function update(source: ClientSource): void {
    if (shown !== source) pane.hide();
    shown = source;
    const { log, isPaused } = source.model;
    const isFiltered = type.value.trim() !== '';
    const rows = isFiltered ? matching(source) : log;
    list.show(rows, isFiltered ? rows.length : log.pushed);
    write(pause, isPaused ? 'Resume' : 'Pause');
    write(count, `${rows.length} events${isPaused ? ', paused' : ''}`);
  }

  return {
    name: 'Log',
    element: h(
      'div',
      { class: 'panel' },
      h('div', { class: 'toolbar' }, field('Event', type), pause, save, clear, count),
      h('div', { class: 'split' }, list.element, pane.element),
    ),
    update,
  };
}

function lineRow(): RowView<LogLine> {
  const time = h('time');
  const type = h('b');
  const json = h('code', { class: 'url' });
  let shown: LogLine | undefined;
  return {
    element: h('div', { class: 'line' }, time, type, json),
    update(line) {
      if (line === shown) return;
      shown = line;
      write(time, timeOfDay(line.at));
      write(type, line.event.type);
      // Time and type stand beside it.
      write(json, lineOf(line).replace(/^\{"time":"[^"]*","severity":"\w*","type":"[^"]*",?/, '{'));
    },
  };
}
