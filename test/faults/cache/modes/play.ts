import type { Store } from '../../../../src/core/store.ts';
import { Order } from './order.ts';
import { Page } from './page.ts';
import { isKeptBelow, promised, type Situation, type State, states } from './table.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** The result of a situation, in one line each: the actual one and the promised one. */
export interface Result {
  readonly found: string;
  readonly wanted: string;
}

/**
 * Reads with a cached version 1, when the origin has version 2; then without a network; then with
 * it again.
 */
export async function play(
  situation: Pick<Situation, 'mode' | 'state' | 'network' | 'validators'>,
  store: Store,
): Promise<Result> {
  const { mode, state, network, validators } = situation;
  const order = new Order(states[state]);
  const page = new Page({ validators, store, transport: order.fetch });
  const readings: string[] = [];
  const wanted: string[] = [];
  const note = (found: string, ...expected: readonly string[]): void => {
    readings.push(found);
    wanted.push(expected.includes(found) ? found : expected.join(' or '));
  };
  try {
    await order.open();
    if (state !== 'none') note((await page.read(order.url, mode, 'up')).words, '200 network 1');
    if (state === 'too old') page.ahead += 8 * DAY;
    await order.publish();

    await order.network(network);
    page.asked = 0;
    const during = await page.read(order.url, mode, network);
    const first = promised({ ...situation, kept: state === 'none' ? 0 : 1, published: 2 });
    note(during.words, ...first.readings);
    note(`${page.asked} asked`, `${first.asked} asked`);

    await order.network('refused');
    const gone = await page.read(order.url, mode, 'refused');
    // The browser's own cache may have responded with version 1 as well.
    const kepts = isKeptBelow(situation) ? [first.kept, 1] : [first.kept];
    const then = kepts.map((kept) => ({ mode, validators, state: keptAs(state, kept), kept, published: 2 }));
    note(gone.words, ...then.flatMap((each) => promised({ ...each, network: 'refused' }).readings));

    await order.network('up');
    page.ahead += 2 * MINUTE;
    // The browser's own clock has not been set forward.
    const cache = isKeptBelow(situation) ? 'no-cache' : 'default';
    const back = await page.read(order.url, mode, 'up', cache);
    const last = await page.read(order.url, mode, 'up', cache);
    const isBehind =
      mode === 'stale-while-revalidate' &&
      then.some((each) => each.state === 'fresh' || each.state === 'stale');
    note(`back ${back.version}`, 'back 2', ...(isBehind ? ['back 1'] : []));
    note(`then ${last.version}`, 'then 2');
  } finally {
    await page.close();
    await order.close();
  }
  const line = (parts: readonly string[]): string => [mode, state, network, ...parts].join(' | ');
  return { found: line(readings), wanted: line(wanted) };
}

/** The state of a cached response in a page that has just received it again. */
function keptAs(state: State, kept: number): State {
  if (kept === 0) return 'none';
  if (state === 'none') return 'fresh';
  return state === 'too old' && kept === 2 ? 'stale' : state;
}
