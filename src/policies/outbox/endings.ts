import { isFull } from '../../core/full.ts';
import type { Change } from '../../core/store.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import { FREE, type Holds } from './holds.ts';
import type { Answer, Row } from './packing.ts';
import { type Fence, type Get, holds, isOf, type Rows } from './rows.ts';

/** What is left of an entry when it has come to its end. */
export interface Ended {
  /** It was still there. */
  readonly found: boolean;
  /** Keys of those that waited for it. */
  readonly dependants: readonly string[];
}

/** Nothing is left of it. */
const gone = (): undefined => undefined;

/** How entries come to their end otherwise than by delivery: dead or removed, as one change; and how the dead come back. */
export class Endings {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /**
   * Makes dead letters of one user wait again: the answers that buried them are no longer the answers.
   *
   * @param changes What else is to be known of each. Pure.
   * @returns those that were dead; none where the first was not.
   */
  revive(family: readonly OutboxEntry[], changes: (found: Row) => Partial<Row>): Promise<OutboxEntry[]> {
    const { places } = this.#rows;
    const [root] = family as [OutboxEntry];
    const keys = family.map(({ key }) => key);
    return this.#rows.change([...keys, places.totals, places.holds(root.partition)], true, (get) => {
      const isDead = (key: string): boolean => get<Row>(key)?.state === 'dead';
      const dead = isDead(root.key) ? family.filter(({ key }) => isDead(key)) : [];
      if (dead.length === 0) return { changes: [], result: [] };
      const before = dead.map(({ key }) => get<Row>(key) as Row);
      const after = before.map((row): Row => ({ ...row, ...changes(row), state: 'waiting' }));
      return {
        changes: [
          ...after.flatMap((row): Change[] => [
            { put: this.#rows.item(row) },
            { delete: places.result(row.key) },
          ]),
          ...this.#rows.counted(get, before, after),
          ...this.#released(get, before),
        ],
        result: dead,
      };
    });
  }

  /** Makes an entry a dead letter and keeps its answer, if it had one. */
  async bury(
    entry: OutboxEntry,
    changes: Partial<Row>,
    reason: Reason,
    answer: Answer,
    fence?: Fence,
  ): Promise<Ended> {
    const reasoned = await this.#rows.packing.reason(entry, reason);
    const bury = (found: Row): Row => ({ ...found, ...changes, ...reasoned, state: 'dead' });
    return this.#end(entry, bury, answer, fence);
  }

  /** Removes an entry in whatever state. */
  remove(entry: OutboxEntry): Promise<Ended> {
    return this.#end(entry, gone, undefined);
  }

  async #end(
    entry: OutboxEntry,
    after: (found: Row) => Row | undefined,
    answer: Answer | undefined,
    fence?: Fence,
  ): Promise<Ended> {
    const { key, partition, lane, coalesce } = entry;
    const { places, packing } = this.#rows;
    const unsent = coalesce === undefined ? undefined : places.unsent(partition, lane, coalesce);
    const { result, body } = answer ? await packing.answer(entry, answer) : {};
    const keys = [key, places.totals, unsent, places.holds(partition), fence?.key];
    const end = (withoutRoom: boolean): Promise<Ended> =>
      this.#rows.change<Ended>(keys, true, (get) => {
        const found = get<Row>(key);
        if (!isOf(found, entry) || !holds(fence, get))
          return { changes: [], result: { found: false, dependants: [] } };
        const dead = after(found);
        const changes: Change[] = [dead ? { put: this.#rows.item(dead) } : { delete: key }];
        if (unsent && get<string>(unsent) === key) changes.push({ delete: unsent });
        if (!result) changes.push({ delete: places.result(key) }, ...this.#rows.aliases(found));
        const ended = { found: true, dependants: found.dependants ?? [] };
        if (withoutRoom) return { changes, result: ended };
        changes.push(...this.#rows.counted(get, [found], dead ? [dead] : []));
        changes.push(...(dead ? this.#stopped(get, dead) : this.#released(get, [found])));
        if (result) {
          const value = { ...result, ...(found.aliases && { aliases: found.aliases }) };
          const put = { key: places.result(key), collection: places.settled(partition), value };
          // There was none before: what is replayed loses its answer.
          changes.push({ put, body });
        }
        return { changes, result: ended };
      });
    try {
      return await end(false);
    } catch (error) {
      // One that stops its lane has to be known to.
      if (!isFull(error) || (entry.strict && after !== gone)) throw error;
      // Taking out needs no room; its answer and the sum of what waits need some.
      const ended = await end(true);
      // If that has made some. Else it is set right when nothing waits.
      if (ended.found) await this.#rows.uncount(entry).catch(() => {});
      return ended;
    }
  }

  /** Where order matters more, a dead letter stops its lane. */
  #stopped(get: Get, { strict, partition, lane, key }: Row): Change[] {
    if (!strict) return [];
    const where = this.#rows.places.holds(partition);
    const before = get<Holds>(where) ?? FREE;
    return [{ put: { key: where, value: { ...before, stopped: [...before.stopped, [lane, key]] } } }];
  }

  /** Of one user. */
  #released(get: Get, rows: readonly Row[]): Change[] {
    const [first] = rows.filter(({ strict }) => strict);
    const where = first && this.#rows.places.holds(first.partition);
    const before = where && get<Holds>(where);
    if (!before) return [];
    const stopped = before.stopped.filter(([, stopper]) => rows.every(({ key }) => key !== stopper));
    return [{ put: { key: where, value: { ...before, stopped } } }];
  }
}
