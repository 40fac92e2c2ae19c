/** As little as a page needs that has no framework. */

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

/** Writes only what differs, so that what is selected stays so, and nothing is read out twice. */
export function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A word on what something is. Its tone is its colour and its sign; the word says the same. */
export function badge(element: HTMLElement, text: string, tone: Tone): void {
  write(element, text);
  element.className = `badge ${tone}`;
}

export type Tone = 'good' | 'bad' | 'waiting' | 'copy' | 'plain';

export interface Shown<T> {
  readonly element: HTMLElement;
  update(item: T): void;
}

/** Keeps one element for each item, so that what has the focus keeps it. */
export function list<T>(
  parent: HTMLElement,
  key: (item: T) => string,
  make: (item: T) => Shown<T>,
): (items: readonly T[]) => void {
  const all = new Map<string, Shown<T>>();
  return (items) => {
    const keys = new Set(items.map(key));
    for (const [known, { element }] of all) {
      if (keys.has(known)) continue;
      all.delete(known);
      remove(element);
    }
    for (const [place, item] of items.entries()) {
      const shown = all.get(key(item)) ?? make(item);
      all.set(key(item), shown);
      shown.update(item);
      const there = parent.children[place];
      if (there !== shown.element) parent.insertBefore(shown.element, there ?? null);
    }
  };
}

/** A focus that is inside moves to the heading, and not to nowhere. */
function remove(element: HTMLElement): void {
  const had = element.contains(document.activeElement);
  const heading = element.closest('section')?.querySelector('h2');
  element.remove();
  if (had) heading?.focus();
}

/** Shows what goes by the clock. */
export function ticking(show: () => void): void {
  show();
  setInterval(show, 250);
}
