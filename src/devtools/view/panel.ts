import type { ClientSource } from '../source.ts';
import { closes, h } from './dom.ts';

/** A tab's content. The element asks it to update at most once per frame, and only while it is shown. */
export interface Panel {
  readonly name: string;
  readonly element: HTMLElement;
  update(source: ClientSource, now: number): void;
}

/** The part beside the list, with what is known of the selected row. */
export interface Details {
  readonly element: HTMLElement;
  readonly body: HTMLElement;
  show(title: string): void;
  hide(): void;
  readonly isShown: boolean;
}

/** @param closed Called when the user closes it: the focus goes back to the list. */
export function details(label: string, closed: () => void): Details {
  const title = h('h2', {});
  // Scrolled by keyboard, so it has a place in the order of the Tab key.
  const body = h('div', { class: 'details-body', tabindex: 0, role: 'group', 'aria-label': 'Content' });
  const element = h(
    'section',
    { class: 'details', 'aria-label': label, hidden: true },
    h(
      'header',
      {},
      title,
      h(
        'button',
        { type: 'button', class: 'icon', 'aria-label': `Close ${label.toLowerCase()}`, onclick: close },
        '✕',
      ),
    ),
    body,
  );
  function close(): void {
    element.hidden = true;
    closed();
  }
  element.addEventListener('keydown', (event) => {
    if (!closes(event)) return;
    event.stopPropagation();
    close();
  });
  return {
    element,
    body,
    show(text) {
      title.textContent = text;
      element.hidden = false;
    },
    hide() {
      element.hidden = true;
    },
    get isShown() {
      return !element.hidden;
    },
  };
}

/** Shows a failure of an action beside the buttons, where the user has just pressed one. */
export function actions(...buttons: HTMLElement[]): {
  element: HTMLElement;
  run(what: string, work: () => unknown): Promise<void>;
} {
  const says = h('span', { role: 'status', class: 'says' });
  const element = h('div', { class: 'actions' }, ...buttons, says);
  return {
    element,
    async run(what, work) {
      says.textContent = '';
      try {
        await work();
        says.textContent = `${what}: done`;
      } catch (error) {
        says.textContent = `${what} failed: ${error instanceof Error ? error.message : String(error)}`;
      }
    },
  };
}
