import { badge, h, list, type Tone } from './dom.ts';

/** A bar of parts, one above the other, the first at the bottom. */
export interface Bar {
  /** Below it; empty for none. */
  readonly label: string;
  readonly parts: readonly { readonly tone: Tone; readonly value: number }[];
}

/** What is shown, in words; its tone is that of the bars that show it. */
export interface Key {
  readonly tone: Tone;
  readonly text: string;
}

/** Bars side by side. */
export function chart(caption: string, of: string) {
  const bars = h('div', { className: 'bars', ariaHidden: 'true' });
  const keys = h('div', { className: 'keys' });
  const element = h(
    'figure',
    {},
    h('figcaption', {}, h('b', {}, caption), h('span', { className: 'detail' }, of), keys),
    bars,
  );
  const showKeys = list(
    keys,
    ({ tone }: Key) => tone,
    ({ tone }) => {
      const word = h('span');
      return { element: word, update: ({ text }) => badge(word, text, tone) };
    },
  );
  let shown = '';
  return {
    element,
    update(now: readonly Bar[], said: readonly Key[]): void {
      showKeys(said);
      const next = JSON.stringify(now);
      if (next === shown) return;
      shown = next;
      const highest = Math.max(
        1,
        ...now.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0)),
      );
      bars.replaceChildren(...now.map((bar) => barOf(bar, highest)));
    },
  };
}

function barOf({ label, parts }: Bar, highest: number): HTMLElement {
  const filled = parts
    .filter(({ value }) => value > 0)
    .map(({ tone, value }) => {
      const part = h('i', { className: tone });
      part.style.height = `${(100 * value) / highest}%`;
      return part;
    });
  return h(
    'div',
    { className: 'bar' },
    h('div', { className: 'bar-parts' }, ...filled.reverse()),
    ...(label ? [h('span', {}, label)] : []),
  );
}
