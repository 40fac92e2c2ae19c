import type { Tone } from '../model/words.ts';

type Attributes = Readonly<Record<string, string | number | boolean | EventListener | undefined>>;

/**
 * Makes an element. A name that begins with `on` is a listener, every other an attribute. Text is always a text node, so no
 * HTML is ever interpreted.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** Writes only what differs: a selection stays, and nothing is announced twice. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function attribute(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function chip(element: Element, text: string, tone: Tone): void {
  write(element, text);
  attribute(element, 'class', `chip ${tone}`);
}

/** A style of the object model, which a strict CSP allows. */
export function style(element: HTMLElement, name: string, value: string): void {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
}

export const button = (
  label: string,
  onclick: () => unknown,
  attributes: Attributes = {},
): HTMLButtonElement => h('button', { type: 'button', onclick: () => void onclick(), ...attributes }, label);

/** A control with its label. */
export const field = (label: string, control: HTMLElement): HTMLLabelElement =>
  h('label', {}, h('span', {}, label), control);

export function select(
  choices: readonly (readonly [value: string, label: string])[],
  onchange: () => void,
): HTMLSelectElement {
  return h('select', { onchange }, ...choices.map(([value, label]) => h('option', { value }, label)));
}

/** Terms and their values; those without a value are left out. */
export function facts(list: Element, pairs: readonly (readonly [string, string | undefined])[]): void {
  const known = pairs.filter(([, value]) => value !== undefined);
  const text = JSON.stringify(known);
  if (list.getAttribute('data-shown') === text) return;
  list.setAttribute('data-shown', text);
  list.replaceChildren(
    ...known.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, value as string)]),
  );
}

/** Makes as many children as there are items, and updates each. */
export function children<T>(
  parent: HTMLElement,
  items: readonly T[],
  make: () => HTMLElement,
  update: (element: HTMLElement, item: T) => void,
): void {
  while (parent.children.length > items.length) parent.lastElementChild?.remove();
  while (parent.children.length < items.length) parent.append(make());
  for (const [at, item] of items.entries()) update(parent.children[at] as HTMLElement, item);
}

/** Whether Escape closes something. While text is written it does not: the text would be lost. */
export const closes = ({ key, target }: KeyboardEvent): boolean =>
  key === 'Escape' &&
  !(target instanceof HTMLTextAreaElement) &&
  !(target instanceof HTMLInputElement && target.value !== '');

/** A URL for a narrow column: the page's own origin and the scheme say little. */
const shortUrl = (url: string): string =>
  url.startsWith(`${location.origin}/`) ? url.slice(location.origin.length) : url.replace(/^https?:\/\//, '');

/** A URL in a row: where it is narrow, its host is cut and not its path. */
export const urlView = (): HTMLElement => h('span', { class: 'url parts' }, h('span'), h('span'));

export function writeUrl({ children: [host, path] }: Element, url: string): void {
  const short = shortUrl(url);
  const at = short.indexOf('/');
  if (host) write(host, short.slice(0, Math.max(0, at)));
  if (path) write(path, short.slice(Math.max(0, at)));
}

/** Gives a text away as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}
