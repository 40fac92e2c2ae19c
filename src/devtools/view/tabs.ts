import { attribute, h } from './dom.ts';
import type { Panel } from './panel.ts';

export interface Tabs {
  readonly list: HTMLElement;
  readonly content: HTMLElement;
  readonly current: Panel;
  /** Selects by name; an unknown name is ignored. */
  select(name: string): void;
  focus(): void;
}

/** Tabs by the pattern of the ARIA authoring guide: arrow keys select, one tab is in the order of the Tab key. */
export function tabs(panels: readonly [Panel, ...Panel[]], selected: (panel: Panel) => void): Tabs {
  let current: Panel = panels[0];
  const buttons = panels.map((panel) =>
    h(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `tab-${panel.name}`,
        'aria-controls': `panel-${panel.name}`,
        onclick: () => select(panel.name),
      },
      panel.name,
    ),
  );
  const contents = panels.map(({ name, element }) =>
    h('div', { role: 'tabpanel', id: `panel-${name}`, 'aria-labelledby': `tab-${name}` }, element),
  );
  const list = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'holdfast' }, ...buttons);
  list.addEventListener('keydown', (event) => {
    const at = panels.indexOf(current);
    const to = new Map([
      ['ArrowRight', at + 1],
      ['ArrowLeft', at - 1],
      ['Home', 0],
      ['End', panels.length - 1],
    ]);
    const wanted = to.get(event.key);
    if (wanted === undefined) return;
    event.preventDefault();
    const next = panels.at(wanted % panels.length);
    if (next) select(next.name);
    focus();
  });

  function select(name: string): void {
    current = panels.find((panel) => panel.name === name) ?? current;
    for (const [at, button] of buttons.entries()) {
      const isCurrent = panels[at] === current;
      attribute(button, 'aria-selected', String(isCurrent));
      attribute(button, 'tabindex', isCurrent ? '0' : '-1');
      const content = contents[at];
      if (content) content.hidden = !isCurrent;
    }
    selected(current);
  }

  function focus(): void {
    const button = buttons[panels.indexOf(current)];
    button?.focus();
    button?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  return {
    list,
    content: h('div', { class: 'content' }, ...contents),
    get current() {
      return current;
    },
    select,
    focus,
  };
}
