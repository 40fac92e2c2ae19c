/** The few helpers that a page without a framework needs. */

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** The element of the page with this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}`);
  return element as T;
}

/** Writes only a change: a selection stays, and a screen reader reads nothing twice. */
export function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export type Tone = 'good' | 'bad' | 'waiting' | 'stale' | 'plain';

/** A word with a colour; the word alone says the same. */
export function badge(element: HTMLElement, text: string, tone: Tone): void {
  write(element, text);
  element.className = `badge ${tone}`;
}

export interface View<T> {
  readonly element: HTMLElement;
  update(item: T): void;
}

/** Keeps one element for each item, so that a focused element keeps the focus. */
export function list<T>(
  parent: HTMLElement,
  key: (item: T) => string,
  make: (item: T) => View<T>,
): (items: readonly T[]) => void {
  const views = new Map<string, View<T>>();
  return (items) => {
    const keys = new Set(items.map(key));
    for (const [known, { element }] of views) {
      if (keys.has(known)) continue;
      views.delete(known);
      element.remove();
    }
    for (const [place, item] of items.entries()) {
      const view = views.get(key(item)) ?? make(item);
      views.set(key(item), view);
      view.update(item);
      const there = parent.children[place];
      if (there !== view.element) parent.insertBefore(view.element, there ?? null);
    }
  };
}

/** Shows what changes with the clock. */
export function ticking(show: () => void): void {
  show();
  setInterval(show, 250);
}
