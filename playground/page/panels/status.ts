import { type ClientHealth, clientHealth, metrics } from 'holdfast';
import { type Bar, chart } from '../chart.ts';
import { circuits, copies, queue } from '../client.ts';
import { badge, byId, h, type Tone, write } from '../dom.ts';
import { listen } from '../events.ts';
import { COVERED, createHistory } from '../history.ts';
import { span } from '../words.ts';

const tones: Record<ClientHealth['status'], Tone> = { ok: 'good', degraded: 'waiting', down: 'bad' };

/** Of the histogram, in ms; what took longer is in a last bar. */
const BOUNDS = [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

/** How often it is looked at, in ms. */
const OFTEN = 1_000;

/** How the client does: what a status page of an application would show. */
export function showStatus(): void {
  const numbers = metrics({ windows: ['1m'] });
  const history = createHistory();
  listen(numbers.receive);
  listen(history.receive);

  const figures = {
    calls: tile('calls in a minute'),
    failed: tile('of them failed'),
    p50: tile('median time'),
    p95: tile('95th percentile'),
  };
  byId('status-figures').append(...Object.values(figures).map(({ element }) => element));
  const outcomes = chart('What became of the calls', `last ${COVERED / 60} min`);
  const latency = chart('How long they took', 'ms, to the answer');
  byId('status-charts').append(outcomes.element, latency.element);

  async function show(): Promise<void> {
    const health = await clientHealth({ breaker: circuits, outbox: queue, staleCache: copies });
    badge(byId('status-badge'), health.status, tones[health.status]);
    write(byId('status-says'), reasons(health));
    const { latency: took, rates } = numbers.snapshot();
    const { calls = 0, errorRate = 0 } = rates[0] ?? {};
    figures.calls.update(`${calls}`);
    figures.failed.update(`${Math.round(errorRate * 100)} %`);
    figures.p50.update(took.count ? span(took.p50) : '–');
    figures.p95.update(took.count ? span(took.p95) : '–');
    const moments = history.recent();
    const sum = (of: 'answered' | 'bridged' | 'failed'): number =>
      moments.reduce((total, moment) => total + moment[of], 0);
    outcomes.update(
      moments.map(({ answered, bridged, failed }) => ({
        label: '',
        parts: [
          { tone: 'good', value: answered },
          { tone: 'copy', value: bridged },
          { tone: 'bad', value: failed },
        ],
      })),
      [
        { tone: 'good', text: `${sum('answered')} answered` },
        { tone: 'copy', text: `${sum('bridged')} by a copy or the outbox` },
        { tone: 'bad', text: `${sum('failed')} failed` },
      ],
    );
    latency.update(histogram(numbers.latencyUpTo(BOUNDS), took.count), []);
  }
  void show();
  setInterval(() => void show(), OFTEN);
}

function tile(name: string) {
  const value = h('b');
  const element = h('div', { className: 'tile' }, value, h('span', { className: 'detail' }, name));
  return { element, update: (text: string): void => write(value, text) };
}

/** @param upTo How many took no longer than each bound. */
function histogram(upTo: readonly number[], all: number): Bar[] {
  const bars = [...upTo, all].map((count, at) => count - (upTo[at - 1] ?? 0));
  return bars.map((value, at) => ({
    label: String(BOUNDS[at] ?? '…'),
    parts: [{ tone: 'plain', value }],
  }));
}

/** Why it is what it is. */
function reasons({ reachability, circuits, outbox }: ClientHealth): string {
  const open = circuits.filter(({ state }) => state !== 'closed').length;
  const { waiting = 0, deadLetters = 0, paused } = outbox && !('error' in outbox) ? outbox : {};
  const said = [
    reachability !== 'online' && `The browser is ${reachability}.`,
    open > 0 && `${open} of ${circuits.length} circuits ${open === 1 ? 'is' : 'are'} not closed.`,
    paused && 'The outbox is paused.',
    waiting > 0 && `${waiting} ${waiting === 1 ? 'write waits' : 'writes wait'}.`,
    deadLetters > 0 && `${deadLetters} ${deadLetters === 1 ? 'was' : 'were'} refused for good.`,
  ].filter(Boolean);
  return said.length > 0 ? said.join(' ') : 'All is well.';
}
