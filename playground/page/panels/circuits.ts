import type { CircuitInfo, CircuitState } from 'holdfast';
import { circuits } from '../client.ts';
import { badge, byId, h, list, type Shown, type Tone, ticking, write } from '../dom.ts';
import { until } from '../words.ts';

interface Circuit extends CircuitInfo {
  readonly origin: string;
}

const tones: Record<CircuitState, Tone> = {
  closed: 'good',
  open: 'bad',
  'half-open': 'waiting',
  isolated: 'bad',
};

/** The circuit of each origin that was called. */
export function showCircuits(): void {
  const show = list(byId('circuits'), ({ origin }: Circuit) => origin, circuitView);
  const showAll = (): void => {
    const all = Object.entries(circuits.states()).map(([origin, info]) => ({ origin, ...info }));
    show(all);
    byId('circuits-none').hidden = all.length > 0;
  };
  circuits.subscribe(showAll);
  // An open circuit has no timer of its own: by and by it lets a probe through.
  ticking(showAll);
}

function circuitView({ origin }: Circuit): Shown<Circuit> {
  const word = h('span');
  const says = h('p', { className: 'detail' });
  const isolate = h('button', { type: 'button', onclick: () => circuits.isolate(origin) }, 'Isolate');
  const reset = h('button', { type: 'button', onclick: () => circuits.reset(origin) }, 'Reset');
  const element = h(
    'li',
    { className: 'entry' },
    h('div', { className: 'entry-head' }, word, h('code', {}, origin)),
    says,
    h('div', { className: 'buttons' }, isolate, reset),
  );
  return {
    element,
    update({ state, retryAt }) {
      badge(word, state, tones[state]);
      write(says, explain(state, retryAt));
      isolate.disabled = state === 'isolated';
      reset.disabled = state === 'closed';
    },
  };
}

function explain(state: CircuitState, retryAt: number | undefined): string {
  if (state === 'closed') return 'Calls go through. Five failures in a row open it.';
  if (state === 'isolated') return 'Nothing is sent until it is reset.';
  if (state === 'half-open') return 'One probe at a time goes through; two that succeed close it.';
  return retryAt
    ? `Nothing is sent; a probe may go through ${until(retryAt)}.`
    : 'The next call goes through, as a probe.';
}
