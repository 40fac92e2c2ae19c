/** The writes, decided by the seed alone, so that page and test know the same. */
import { chance } from '../../../../tools/misbehaving-server/chance.ts';

export const LANES: readonly string[] = ['a', 'b', 'c', 'd'];

/**
 * For a page that makes no keys of its own accord: writes of these lanes have one, those of the
 * others do not.
 */
export const KEYED: readonly string[] = ['c', 'd'];

/** Its bodies are larger than this only when they are to be rejected. */
export const MAX_BODY = 64_000;

export interface Write {
  /** Unlike that of any other write, and found again in the origin's ledger. */
  readonly item: string;
  readonly lane: string;
  readonly kind: Kind;
  readonly body: string;
  /** The delay of the origin, in ms. */
  readonly delay: number;
}

/**
 * - `plain`: the origin accepts it.
 * - `invalid`: it does not, ever.
 * - `twice`: queued twice at once under one id, as by a double click.
 * - `another`: after it, another write is queued under its id.
 * - `aborted`, `too-large`: rejected before anything is stored.
 */
type Kind = 'plain' | 'invalid' | 'twice' | 'another' | 'aborted' | 'too-large';

/** Of fifty writes; the others are plain. */
const rare: readonly Kind[] = [
  ...(['invalid', 'invalid', 'invalid', 'twice', 'twice', 'twice'] as const),
  ...(['another', 'another', 'aborted', 'aborted', 'too-large'] as const),
];

/**
 * @param life The number of earlier starts of the browser: numbers go on after those of the last
 * life.
 */
export function writeOf(seed: number, lane: string, life: number, nth: number): Write {
  const item = `${lane}-${life}-${nth}`;
  const kind = rare[Math.floor(50 * chance(seed, `kind ${lane} ${life}`, nth))] ?? 'plain';
  const size = chance(seed, `size ${lane} ${life}`, nth);
  // Mostly as small as an order is, and now and then so large that it takes the disk a while.
  const filler = kind === 'too-large' ? MAX_BODY : Math.round(50 + (MAX_BODY / 2) * size ** 8);
  return {
    item,
    lane,
    kind,
    body: JSON.stringify({ item, quantity: kind === 'invalid' ? 0 : 1, filler: 'x'.repeat(filler) }),
    delay: Math.round(10 * chance(seed, `delay ${lane} ${life}`, nth)),
  };
}

/** The write of an item. */
export function writeCalled(seed: number, item: string): Write {
  const [lane, life, nth] = parts(item);
  return writeOf(seed, lane, life, nth);
}

/** Below 0 if `a` was queued before `b`, both in one lane. */
export function order(a: string, b: string): number {
  const [, lifeA, nthA] = parts(a);
  const [, lifeB, nthB] = parts(b);
  return lifeA - lifeB || nthA - nthB;
}

export const lifeOf = (item: string): number => parts(item)[1];

function parts(item: string): [lane: string, life: number, nth: number] {
  const [lane = '', life, nth] = item.split('-');
  return [lane, Number(life), Number(nth)];
}
