import { chance } from '../../../../tools/misbehaving-server/chance.ts';
import { Order } from './order.ts';
import type { Page } from './page.ts';
import type { Result } from './play.ts';
import { isHeard, modes, type Network, promised, type Situation, type State } from './table.ts';

type Open = (order: Order) => Page;

const HOUR = 3_600_000;

const flapping: readonly Network[] = ['up', 'up', 'refused', 'reset', '503', 'cut', 'silent'];

/** One read after the other, each with another network: its result follows from all reads before. */
export async function flap(
  { mode, validators }: Pick<Situation, 'mode' | 'validators'>,
  open: Open,
  seed: number,
  steps: number,
): Promise<Result[]> {
  // The browser's own cache does not have the clock of the page: both agree only on a response that
  // is stale at once.
  const lifetime = validators === 'own' ? HOUR : 0;
  const order = new Order(`max-age=${lifetime / 1000}`);
  const page = open(order);
  const lines: Result[] = [];
  let kept = { version: 0, at: 0 };
  try {
    await order.open();
    for (let step = 0; step < steps; step++) {
      const throws = (what: string): number => chance(seed, `${mode} ${what}`, step);
      const network = flapping[Math.floor(throws('network') * flapping.length)] as Network;
      // The origin confirms a valid response without a body, which cannot be cut.
      if (network === 'cut' || throws('version') < 0.3) await order.publish();
      if (throws('time') < 0.3) page.ahead += 0.7 * HOUR;
      await order.network(network);
      page.asked = 0;
      const { words } = await page.read(order.url, mode, network);

      const state: State = kept.version === 0 ? 'none' : page.ahead - kept.at < lifetime ? 'fresh' : 'stale';
      const { version: published } = order;
      const expected = promised({ mode, state, network, validators, kept: kept.version, published });
      const line = (reading: string, asked: number): string =>
        [`seed ${seed}, step ${step}`, mode, state, network, reading, `${asked} asked`].join(' | ');
      lines.push({
        found: line(words, page.asked),
        wanted: line(expected.readings[0] ?? '', expected.asked),
      });
      if (expected.asked > 0 && isHeard(network)) kept = { version: expected.kept, at: page.ahead };
    }
    return lines;
  } finally {
    await page.close();
    await order.close();
  }
}

const BROKEN = /^200 network, then TypeError network$/;
const NOTHING = /^(TypeError network|TimeoutError timeout-attempt|503 network)$/;

/**
 * Readers in all modes at once, while each request fails by chance. @returns the readings that no
 * caller should have got.
 */
export async function crowd(
  { validators }: Pick<Situation, 'validators'>,
  open: Open,
  seed: number,
  rounds: number,
): Promise<string[]> {
  const order = new Order('max-age=0');
  const page = open(order);
  const wrong: string[] = [];
  let best = 0;
  try {
    await order.open();
    await order.misbehave({
      failRate: 0.6,
      failModes: ['reset', '503', 'resetBody', 'hang'],
      seed,
      key: `crowd ${validators} ${seed}`,
    });
    for (let round = 0; round < rounds; round++) {
      if (chance(seed, 'version', round) < 0.3) await order.publish();
      const readings = await Promise.all(modes.map((mode) => page.read(order.url, mode, 'silent')));
      for (const [nth, { words, version }] of readings.entries()) {
        const isExcused = BROKEN.test(words) || (best === 0 && NOTHING.test(words));
        if (version > 0 ? version < best : !isExcused)
          wrong.push(`seed ${seed}, round ${round}, ${modes[nth]}, best ${best}: ${words}`);
      }
      best = Math.max(best, ...readings.map(({ version }) => version));
    }
    await order.network('up');
    for (const mode of modes) {
      await page.read(order.url, mode, 'up');
      const { words, version } = await page.read(order.url, mode, 'up');
      if (version !== order.version) wrong.push(`seed ${seed}, in the end, ${mode}: ${words}`);
    }
    return wrong;
  } finally {
    await page.close();
    await order.close();
  }
}
