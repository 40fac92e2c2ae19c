import { FAULTS, type Fault, type FaultRule } from '../faults.ts';
import type { ClientSource } from '../source.ts';
import { button, children, chip, field, h, select, write } from './dom.ts';
import { actions, type Panel } from './panel.ts';

const LABELS: Readonly<Record<Fault, string>> = {
  refuse: 'Refuse',
  hang: 'Hang',
  slow: 'Slow',
  'error-500': 'Status 500',
  'error-429': 'Status 429',
  truncate: 'Truncate bodies',
  'lose-response': 'Lose responses',
};

/** Breaks the network on purpose, origin by origin. */
export function faultsPanel(): Panel {
  let shown: ClientSource | undefined;
  const known = h('datalist', { id: 'origins' });
  const origin = h('input', { list: 'origins', required: true, spellcheck: 'false', value: '*' });
  const fault = select(Object.entries(LABELS), explain);
  const amount = h('input', { type: 'number', min: 0, max: 600, value: 3, required: true });
  const amountLabel = field('Seconds', amount);
  const meaning = h('p', { class: 'hint', role: 'status' });
  const rules = h('ul', { class: 'rules', 'aria-label': 'Faults in effect' });
  const none = h('p', { class: 'empty' }, 'No fault is in effect: requests go out as they are.');
  const bar = actions(h('button', { type: 'submit', class: 'main' }, 'Break it'), button('Mend all', mend));
  const form = h(
    'form',
    { class: 'fault-form', onsubmit: submit },
    h(
      'div',
      { class: 'toolbar' },
      field('Origin, or * for all', origin),
      known,
      field('Fault', fault),
      amountLabel,
    ),
    meaning,
    bar.element,
  );
  const hint = h(
    'p',
    { class: 'empty' },
    'To break the network here, make faults(), give the client fetch: faults.fetch, and devtools() the same faults.',
  );
  explain();

  function explain(): void {
    const value = fault.value as Fault;
    write(meaning, FAULTS[value]);
    amountLabel.hidden = value !== 'slow' && value !== 'error-429';
  }

  function submit(event: Event): void {
    event.preventDefault();
    const seconds = Number(amount.value);
    const name = fault.value as Fault;
    const rule: FaultRule = {
      origin: origin.value.trim(),
      fault: name,
      ...(name === 'slow' && { delay: seconds * 1_000 }),
      ...(name === 'error-429' && { retryAfter: seconds }),
    };
    void bar.run('Break', () => shown?.parts.faults?.set(rule)).then(refresh);
  }

  function mend(): void {
    shown?.parts.faults?.clear();
    refresh();
  }

  function refresh(): void {
    if (shown) update(shown);
  }

  function update(source: ClientSource): void {
    shown = source;
    const { faults } = source.parts;
    form.hidden = faults === undefined;
    hint.hidden = faults !== undefined;
    const all = faults?.rules() ?? [];
    none.hidden = faults === undefined || all.length > 0;
    rules.hidden = all.length === 0;
    children(rules, all, ruleView, (element, rule) => showRule(element, rule));
    const origins = [
      '*',
      ...new Set(
        source.model.calls.ring
          .filter(({ kind }) => kind === 'call')
          .slice(0, 200)
          .map((call) => call.origin),
      ),
    ];
    children(
      known,
      origins,
      () => h('option'),
      (option, value) => option.setAttribute('value', value),
    );
  }

  function ruleView(): HTMLElement {
    const end = button('Mend', () => {
      shown?.parts.faults?.clear(end.dataset.origin);
      refresh();
      origin.focus();
    });
    return h('li', {}, h('span'), h('code'), h('span', { class: 'hint' }), end);
  }

  return { name: 'Faults', element: h('div', { class: 'panel scrolls' }, form, rules, none, hint), update };
}

function showRule(element: HTMLElement, { origin, fault }: FaultRule): void {
  const [what, where, meaning, end] = element.children as unknown as HTMLElement[];
  if (!what || !where || !meaning || !end) return;
  chip(what, LABELS[fault], 'bad');
  write(where, origin === '*' ? 'every origin' : origin);
  write(meaning, FAULTS[fault]);
  end.dataset.origin = origin;
  end.setAttribute('aria-label', `Mend ${origin === '*' ? 'every origin' : origin}`);
}
