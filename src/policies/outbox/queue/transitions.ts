import { type Change, isQuotaExceeded } from '../../../core/store.ts';
import { NOT_PAUSED, type PauseState } from '../send/pauses.ts';
import { codeOnly, type EntryRecord, type ReasonFields, type ResultWithBody } from './encryption.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import { type Fence, type Get, isFenceValid, isSameRevision, type Records } from './records.ts';

interface Guards {
  /** Nothing changes if the lane is lost. */
  readonly fence?: Fence | undefined;
  /** Called with the records that were found, before anything is changed. */
  readonly look?: (get: Get) => void;
  /** A further key to read. */
  readonly also?: string | undefined;
}

/** Deletes the entry. */
const gone = (): undefined => undefined;

/** The transitions of entries in the store: acknowledge, dead-letter, remove, requeue. Each is one atomic change. */
export class Transitions {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /**
   * Requeues a dead letter and deletes its result.
   *
   * @param changes Further fields to change. Pure.
   * @returns whether it was a dead letter.
   */
  requeue(
    { key, partition }: OutboxEntry,
    changes: (found: EntryRecord) => Partial<EntryRecord>,
  ): Promise<boolean> {
    const { keys } = this.#records;
    return this.#records.change([key, keys.totals, keys.pauses(partition)], true, (get) => {
      const before = get<EntryRecord>(key);
      if (before?.state !== 'dead-letter') return { changes: [], result: false };
      const after: EntryRecord = { ...before, ...changes(before), state: 'waiting' };
      return {
        changes: [
          { put: this.#records.item(after) },
          { delete: keys.result(key) },
          ...this.#records.adjustTotals(get, [before], [after]),
          ...this.#released(get, before),
        ],
        result: true,
      };
    });
  }

  /** Makes an entry a dead letter and stores its response, if there is one. @returns whether it was still there. */
  async deadLetter(
    entry: OutboxEntry,
    changes: Partial<EntryRecord>,
    reason: Reason,
    stored: ResultWithBody,
    fence?: Fence,
  ): Promise<boolean> {
    const reasonFields = await this.#records.encryption.encryptReason(entry, reason);
    const toDeadLetter =
      (reasonFields: ReasonFields) =>
      (found: EntryRecord): EntryRecord => ({ ...found, ...changes, ...reasonFields, state: 'dead-letter' });
    try {
      return await this.#end(entry, toDeadLetter(reasonFields), stored, { fence });
    } catch (error) {
      if (isQuotaExceeded(error)) throw error;
      // A reason that cannot be stored must not keep the entry in the queue for ever.
      const result = { ...stored.result, reason: { code: reason.code } };
      return this.#end(entry, toDeadLetter(codeOnly(reason)), { ...stored, result }, { fence });
    }
  }

  /**
   * Deletes a delivered entry and stores its response. A delivery counts also if the lane was lost by then.
   *
   * @param onBeforeWrite Called right before the write; if it throws, nothing changes.
   * @returns whether it was still there, and whether the lane is still ours.
   */
  async acknowledge(
    entry: OutboxEntry,
    stored: ResultWithBody,
    onBeforeWrite: () => void,
    fence?: Fence,
  ): Promise<{ readonly found: boolean; readonly isOurs: boolean }> {
    let isOurs = true;
    const look = (get: Get): void => {
      onBeforeWrite();
      isOurs = isFenceValid(fence, get);
    };
    const found = await this.#end(entry, gone, stored, { look, also: fence?.key });
    return { found, isOurs };
  }

  /** Removes an entry in whatever state. @returns whether it was still there. */
  remove(entry: OutboxEntry): Promise<boolean> {
    return this.#end(entry, gone, undefined, {});
  }

  async #end(
    entry: OutboxEntry,
    after: (found: EntryRecord) => EntryRecord | undefined,
    stored: ResultWithBody | undefined,
    { fence, look, also }: Guards,
  ): Promise<boolean> {
    const { key, partition, lane, coalesceKey } = entry;
    const { keys, encryption } = this.#records;
    const unsent = coalesceKey === undefined ? undefined : keys.unsent(partition, lane, coalesceKey);
    const { result, body } = stored ? await encryption.encryptResult(entry, stored) : {};
    const holding = entry.blockLaneOnFailure ? keys.pauses(partition) : undefined;
    const read = [key, keys.totals, unsent, holding, fence?.key, also];
    const end = (withoutRoom: boolean): Promise<boolean> =>
      this.#records.change(read, true, (get) => {
        look?.(get);
        const found = get<EntryRecord>(key);
        if (!isSameRevision(found, entry) || !isFenceValid(fence, get)) return { changes: [], result: false };
        const dead = after(found);
        const changes: Change[] = [dead ? { put: this.#records.item(dead) } : { delete: key }];
        if (unsent && get<string>(unsent) === key) changes.push({ delete: unsent });
        if (!result) changes.push({ delete: keys.result(key) }, ...this.#records.aliases(found));
        if (withoutRoom) return { changes, result: true };
        changes.push(...this.#records.adjustTotals(get, [found], dead ? [dead] : []));
        changes.push(...(dead ? this.#stopped(get, dead) : this.#released(get, found)));
        if (result) {
          const value = { ...result, ...(found.aliases && { aliases: found.aliases }) };
          const put = { key: keys.result(key), collection: keys.settled(partition), value };
          // There is no earlier result: a replay deletes it.
          changes.push({ put, body });
        }
        return { changes, result: true };
      });
    try {
      return await end(false);
    } catch (error) {
      // A dead letter that stops its lane must be recorded as such.
      if (!isQuotaExceeded(error) || (entry.blockLaneOnFailure && after !== gone)) throw error;
      // Deleting needs no room; the result and the totals need some.
      const ended = await end(true);
      // Deleting may have made room. If not, the totals are corrected when the queue is empty.
      if (ended) await this.#records.decrementTotals(entry).catch(() => {});
      return ended;
    }
  }

  /** With `blockLaneOnFailure`, a dead letter stops its lane. */
  #stopped(get: Get, { blockLaneOnFailure, partition, lane, key }: EntryRecord): Change[] {
    if (!blockLaneOnFailure) return [];
    const where = this.#records.keys.pauses(partition);
    const before = get<PauseState>(where) ?? NOT_PAUSED;
    return [{ put: { key: where, value: { ...before, stopped: [...before.stopped, [lane, key]] } } }];
  }

  #released(get: Get, { blockLaneOnFailure, partition, key }: EntryRecord): Change[] {
    if (!blockLaneOnFailure) return [];
    const where = this.#records.keys.pauses(partition);
    const before = get<PauseState>(where);
    if (!before) return [];
    const stopped = before.stopped.filter(([, stopper]) => stopper !== key);
    if (stopped.length === before.stopped.length) return [];
    return [{ put: { key: where, value: { ...before, stopped } } }];
  }
}
