import { isQuotaExceeded } from '../../core/full.ts';
import type { Change } from '../../core/store.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import { FREE, type Holds } from './holds.ts';
import { type Answer, codeAlone, type Reasoned, type Row } from './packing.ts';
import { type Fence, type Get, holds, isOf, type Rows } from './rows.ts';

interface Guards {
  /** Nothing is changed where the lane is lost. */
  readonly fence?: Fence | undefined;
  /** Called with what was found, before anything is changed. */
  readonly look?: (get: Get) => void;
  /** A further key to look at. */
  readonly also?: string | undefined;
}

/** Nothing is left of it. */
const gone = (): undefined => undefined;

/** How entries end: acknowledged, dead-lettered or removed, each as one change on the disk; and how a dead letter comes back. */
export class Endings {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /**
   * Makes a dead letter wait again: the answer that buried it is no longer the answer.
   *
   * @param changes What else is to be known of it. Pure.
   * @returns whether it was dead.
   */
  revive({ key, partition }: OutboxEntry, changes: (found: Row) => Partial<Row>): Promise<boolean> {
    const { places } = this.#rows;
    return this.#rows.change([key, places.totals, places.holds(partition)], true, (get) => {
      const before = get<Row>(key);
      if (before?.state !== 'dead-letter') return { changes: [], result: false };
      const after: Row = { ...before, ...changes(before), state: 'waiting' };
      return {
        changes: [
          { put: this.#rows.item(after) },
          { delete: places.result(key) },
          ...this.#rows.counted(get, [before], [after]),
          ...this.#released(get, before),
        ],
        result: true,
      };
    });
  }

  /** Makes an entry a dead letter and keeps its answer, if it had one. @returns whether it was still there. */
  async bury(
    entry: OutboxEntry,
    changes: Partial<Row>,
    reason: Reason,
    answer: Answer,
    fence?: Fence,
  ): Promise<boolean> {
    const reasoned = await this.#rows.packing.reason(entry, reason);
    const bury =
      (reasoned: Reasoned) =>
      (found: Row): Row => ({ ...found, ...changes, ...reasoned, state: 'dead-letter' });
    try {
      return await this.#end(entry, bury(reasoned), answer, { fence });
    } catch (error) {
      if (isQuotaExceeded(error)) throw error;
      // The reason may be such as cannot be stored, and an entry that cannot be buried would be sent for ever.
      const result = { ...answer.result, reason: { code: reason.code } };
      return this.#end(entry, bury(codeAlone(reason)), { ...answer, result }, { fence });
    }
  }

  /**
   * Takes out an entry that was delivered and keeps the response to it. A delivery stands although the lane was lost
   * meanwhile.
   *
   * @param proceed Called when it is about to be written; what it throws leaves everything as it is.
   * @returns whether it was still there, and whether the lane is still ours.
   */
  async acknowledge(
    entry: OutboxEntry,
    answer: Answer,
    proceed: () => void,
    fence?: Fence,
  ): Promise<{ readonly found: boolean; readonly isOurs: boolean }> {
    let isOurs = true;
    const look = (get: Get): void => {
      proceed();
      isOurs = holds(fence, get);
    };
    const found = await this.#end(entry, gone, answer, { look, also: fence?.key });
    return { found, isOurs };
  }

  /** Removes an entry in whatever state. @returns whether it was still there. */
  remove(entry: OutboxEntry): Promise<boolean> {
    return this.#end(entry, gone, undefined, {});
  }

  async #end(
    entry: OutboxEntry,
    after: (found: Row) => Row | undefined,
    answer: Answer | undefined,
    { fence, look, also }: Guards,
  ): Promise<boolean> {
    const { key, partition, lane, coalesceKey } = entry;
    const { places, packing } = this.#rows;
    const unsent = coalesceKey === undefined ? undefined : places.unsent(partition, lane, coalesceKey);
    const { result, body } = answer ? await packing.answer(entry, answer) : {};
    const holding = entry.blockLaneOnFailure ? places.holds(partition) : undefined;
    const keys = [key, places.totals, unsent, holding, fence?.key, also];
    const end = (withoutRoom: boolean): Promise<boolean> =>
      this.#rows.change(keys, true, (get) => {
        look?.(get);
        const found = get<Row>(key);
        if (!isOf(found, entry) || !holds(fence, get)) return { changes: [], result: false };
        const dead = after(found);
        const changes: Change[] = [dead ? { put: this.#rows.item(dead) } : { delete: key }];
        if (unsent && get<string>(unsent) === key) changes.push({ delete: unsent });
        if (!result) changes.push({ delete: places.result(key) }, ...this.#rows.aliases(found));
        if (withoutRoom) return { changes, result: true };
        changes.push(...this.#rows.counted(get, [found], dead ? [dead] : []));
        changes.push(...(dead ? this.#stopped(get, dead) : this.#released(get, found)));
        if (result) {
          const value = { ...result, ...(found.aliases && { aliases: found.aliases }) };
          const put = { key: places.result(key), collection: places.settled(partition), value };
          // There was none before: what is replayed loses its answer.
          changes.push({ put, body });
        }
        return { changes, result: true };
      });
    try {
      return await end(false);
    } catch (error) {
      // One that stops its lane has to be known to.
      if (!isQuotaExceeded(error) || (entry.blockLaneOnFailure && after !== gone)) throw error;
      // Taking out needs no room; its answer and the sum of what waits need some.
      const ended = await end(true);
      // If that has made some. Else it is set right when nothing waits.
      if (ended) await this.#rows.uncount(entry).catch(() => {});
      return ended;
    }
  }

  /** Where order matters more, a dead letter stops its lane. */
  #stopped(get: Get, { blockLaneOnFailure, partition, lane, key }: Row): Change[] {
    if (!blockLaneOnFailure) return [];
    const where = this.#rows.places.holds(partition);
    const before = get<Holds>(where) ?? FREE;
    return [{ put: { key: where, value: { ...before, stopped: [...before.stopped, [lane, key]] } } }];
  }

  #released(get: Get, { blockLaneOnFailure, partition, key }: Row): Change[] {
    if (!blockLaneOnFailure) return [];
    const where = this.#rows.places.holds(partition);
    const before = get<Holds>(where);
    if (!before) return [];
    const stopped = before.stopped.filter(([, stopper]) => stopper !== key);
    if (stopped.length === before.stopped.length) return [];
    return [{ put: { key: where, value: { ...before, stopped } } }];
  }
}
