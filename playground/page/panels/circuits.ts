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

/** The circuit of each origin that was called, and of each path that answered 5xx. Those that are not closed come first. */
export function showCircuits(): void {
  const show = list(byId('circuits'), ({ origin }: Circuit) => origin, circuitView);
  const showAll = (): void => {
    const all = Object.entries(circuits.states()).map(([origin, info]) => ({ origin, ...info }));
    show(all.toSorted((one, other) => Number(one.state === 'closed') - Number(other.state === 'closed')));
    byId('circuits-none').hidden = all.length > 0;
  };
  circuits.subscribe(showAll);
  // An open circuit has no timer of its own: by and by it lets a probe through.
  ticking(showAll);
}

function circuitView({ origin }: Circuit): Shown<Circuit> {
  const word = h('span');
  const says = h('p', { className: 'detail' });
  const button = (label: string, onclick: () => void) =>
    h('button', { type: 'button', ariaLabel: `${label} ${origin}`, onclick }, label);
  const isolate = button('Isolate', () => circuits.isolate(origin));
  const reset = button('Reset', () => circuits.reset(origin));
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
  if (state === 'closed') return 'Calls go through. Five failed calls in a row open it.';
  if (state === 'isolated') return 'Nothing is sent until it is reset.';
  if (state === 'half-open') return 'One probe goes through; if it succeeds, the circuit closes.';
  return retryAt
    ? `Calls wait for a probe, which may be sent ${until(retryAt)}.`
    : 'The next call is the probe.';
}
