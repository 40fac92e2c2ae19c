import { isFull } from '../../core/full.ts';
import type { Change } from '../../core/store.ts';
import type { OutboxEntry } from './entry.ts';
import type { Answer, PackedAnswer, Row } from './packing.ts';
import { type Fence, type Get, holds, isOf, type Rows } from './rows.ts';

/** A write that was delivered, with the answer that is kept of it. */
export interface Delivery {
  readonly entry: OutboxEntry;
  readonly answer: Answer;
}

interface Packed extends PackedAnswer {
  readonly entry: OutboxEntry;
}

/** How writes that were delivered are taken out: some of a lane as one, so that none is left before one that is gone. */
export class Deliveries {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /**
   * Takes entries out and keeps their answers, as one. Says of each whether it was still there.
   *
   * @param how.durability `relaxed` does not wait for the disk: what is lost with the power goes out again, in order.
   * @param how.fence Who has lost the lane takes nothing out: whoever has it now may have sent the first of them again, and
   *   so has to send those behind it, too.
   * @param proceed Called when it is about to be written; what it throws leaves everything as it is.
   * @throws where the disk is full, if there are several: one by itself is taken out without its answer.
   */
  async settle(
    batch: readonly Delivery[],
    how: { readonly durability: 'relaxed' | 'strict'; readonly fence?: Fence | undefined },
    proceed: () => void,
  ): Promise<boolean[]> {
    const { packing } = this.#rows;
    const packed = await Promise.all(
      batch.map(async ({ entry, answer }) => ({ entry, ...(await packing.answer(entry, answer)) })),
    );
    try {
      return await this.#takeOut(packed, how, proceed, true);
    } catch (error) {
      if (batch.length > 1 || !isFull(error)) throw error;
      // Taking out needs no room; its answer and the sum of what waits need some.
      const ended = await this.#takeOut(packed, how, proceed, false);
      // If that has made some. Else it is set right when nothing waits.
      for (const [at, { entry }] of packed.entries())
        if (ended[at]) await this.#rows.uncount(entry).catch(() => {});
      return ended;
    }
  }

  #takeOut(
    packed: readonly Packed[],
    { durability, fence }: Parameters<Deliveries['settle']>[1],
    proceed: () => void,
    hasRoom: boolean,
  ): Promise<boolean[]> {
    const { totals } = this.#rows.places;
    const keys = packed.flatMap(({ entry }) => [entry.key, this.#unsent(entry)]);
    return this.#rows.change([totals, fence?.key, ...keys], durability === 'strict', (get) => {
      proceed();
      const isOurs = holds(fence, get);
      const found = packed.map(({ entry }) => {
        const row = get<Row>(entry.key);
        return isOurs && isOf(row, entry) ? row : undefined;
      });
      const taken = found.filter((row) => row !== undefined);
      const changes = packed.flatMap((each, at) => this.#gone(get, each, found[at], hasRoom));
      if (hasRoom) changes.push(...this.#rows.counted(get, taken, []));
      const result = found.map((row) => row !== undefined);
      return { changes, result };
    });
  }

  #gone(get: Get, { entry, result, body }: Packed, row: Row | undefined, hasRoom: boolean): Change[] {
    if (!row) return [];
    const { places } = this.#rows;
    const unsent = this.#unsent(entry);
    const changes: Change[] = [{ delete: entry.key }];
    if (unsent && get<string>(unsent) === entry.key) changes.push({ delete: unsent });
    if (!hasRoom) return changes;
    const value = { ...result, ...(row.aliases && { aliases: row.aliases }) };
    const put = { key: places.result(entry.key), collection: places.settled(entry.partition), value };
    // There was none before: what is replayed loses its answer.
    return [...changes, { put, body, isNew: true }];
  }

  #unsent({ partition, lane, coalesce }: OutboxEntry): string | undefined {
    return coalesce === undefined ? undefined : this.#rows.places.unsent(partition, lane, coalesce);
  }
}
