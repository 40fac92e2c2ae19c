import { h, list, write } from '../dom.ts';

/** Names and values, one below the other. */
export function facts() {
  const element = h('dl', { className: 'facts' });
  const show = list(
    element,
    ([name]: readonly [string, string]) => name,
    ([name]) => {
      const value = h('dd');
      return { element: h('div', {}, h('dt', {}, name), value), update: ([, text]) => write(value, text) };
    },
  );
  return { element, update: (values: Record<string, string>): void => show(Object.entries(values)) };
}
