import { CapacityError, HoldfastError } from '../../core/errors.ts';
import type { Change, Item, StoredBody } from '../../core/store.ts';
import type { OutboxEntry } from './entry.ts';
import type { OutboxSettings } from './options.ts';
import { contentOf, type IdRow, type Row } from './packing.ts';
import { sortable } from './places.ts';
import { NONE, type Rows, type Totals } from './rows.ts';

/** A write that is to be accepted. */
export type Draft = Omit<OutboxEntry, 'id' | 'key'> & { readonly id?: string | undefined };

export interface Accepted {
  readonly entry: OutboxEntry;
  /** The id had been given before: this is the entry of then. */
  readonly known: boolean;
}

/** A write as it is written. */
interface Packed {
  readonly row: Row;
  readonly body: StoredBody | undefined;
  readonly print: Pick<IdRow, 'fingerprint' | 'sealed'>;
}

/** What a write has become: the one that has its id already, or an entry. */
interface Taken {
  readonly known?: IdRow;
  readonly whole?: Row;
}

/** What was under a `key` when it was looked at. */
export interface Unsent {
  /** The entry that is, or was, there. */
  readonly pointer: string | undefined;
  /** It is still unsent. */
  readonly entry?: OutboxEntry;
}

/** How writes come in: within the limits, each with its place, ids and keys, as one change. */
export class Intake {
  readonly #rows: Rows;
  readonly #limits: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>;

  constructor(rows: Rows, limits: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>) {
    this.#rows = rows;
    this.#limits = limits;
  }

  /**
   * Makes a write ready to be committed.
   *
   * @param chance Makes ids of the same moment different.
   * @param unsent Where the write has a `key`: what was found under it, into which `draft` has been merged.
   * @returns commits it to the disk, in the order in which such functions are called.
   */
  async prepared(
    draft: Draft,
    body: StoredBody | undefined,
    chance: string,
    unsent?: Unsent,
  ): Promise<(proceed: () => void) => Promise<Accepted | undefined>> {
    const row = await this.#rows.packing.entry({ ...draft, id: '', key: '' });
    const { packing } = this.#rows;
    const packed = body && (await packing.body(body, contentOf(row)));
    const print = draft.id === undefined ? {} : await packing.print(row, draft.fingerprint);
    return (proceed) => this.#accept(draft, { row, body: packed, print }, chance, proceed, unsent);
  }

  /**
   * @param proceed Called when it is about to be written; what it throws refuses the write.
   * @returns `undefined` where what was found under the `key` is no longer so; nothing was written.
   * @throws {CapacityError} code `outbox-full`; what is there is kept.
   * @throws {HoldfastError} code `id-conflict`: the id belongs to another write.
   */
  async #accept(
    draft: Draft,
    { row, body, print }: Packed,
    chance: string,
    proceed: () => void,
    unsent: Unsent | undefined,
  ): Promise<Accepted | undefined> {
    const { totals, ...places } = this.#placesOf(draft);
    const into = unsent?.entry;
    const keys = [totals, places.alias, places.unsent, into?.key];
    const accepted = await this.#rows.change<Taken | undefined>(keys, true, (get) => {
      proceed();
      const known = places.alias && get<IdRow>(places.alias);
      if (known) return { changes: [], result: { known } };
      const before = into && get<Row>(into.key);
      const isAsFound = !places.unsent || get<string>(places.unsent) === unsent?.pointer;
      if (!isAsFound || (into && !(before && isUnsent(before) && before.revision === into.revision)))
        return { changes: [], result: undefined };

      const { count, bytes, stamp } = get<Totals>(totals) ?? NONE;
      const after: Totals = before
        ? { count, bytes: bytes - before.size + row.size, stamp }
        : // Never lower than the last: a clock that was set back must not put a write before earlier ones. Whole, as a key
          // with a fraction in it is not in its place.
          {
            count: count + 1,
            bytes: bytes + row.size,
            stamp: Math.ceil(Math.max(row.acceptedAt, stamp + 1)),
          };
      this.#admit(after, count, bytes);
      const made = `${sortable(after.stamp)}-${chance}`;
      const whole = before
        ? merged(before, row, draft.id)
        : { ...row, id: draft.id ?? made, key: this.#rows.places.entry(made) };
      const changes: Change[] = [
        // One that is merged may have had a body.
        { put: this.#rows.item(whole), body: body ?? (before && null), isNew: !before },
        { put: { key: totals, value: after } },
      ];
      if (places.alias) changes.push({ put: this.#idOf(places.alias, whole, print) });
      if (places.unsent) changes.push({ put: { key: places.unsent, value: whole.key } });
      return { changes, result: { whole } };
    });
    if (!accepted) return undefined;
    const { known, whole } = accepted;
    if (known) await this.#same(draft, known);
    // What has just been accepted is not to fail for a key that is not to be had now.
    const entry = known ? ofThen(draft, known) : unsealed(draft, whole as Row);
    return {
      entry: { ...entry, ...(draft.id !== undefined && { id: draft.id }) },
      known: known !== undefined,
    };
  }

  /** Nothing of the write: an id is remembered for longer than what it was given for. */
  #idOf(place: string, { key, seal, partition, lane, origin }: Row, print: Packed['print']): Item<IdRow> {
    const value = { key, partition, lane, origin, ...(seal !== undefined && { seal }), ...print };
    return { key: place, collection: this.#rows.places.ids(partition), value };
  }

  /** @throws where what has this id is another write: one id for two would lose the second. */
  async #same({ id, fingerprint, origin }: Draft, known: IdRow): Promise<void> {
    const before = await this.#rows.packing.openedPrint(known);
    // What cannot be opened cannot be compared.
    if (before === undefined || before === fingerprint) return;
    throw new HoldfastError(`outbox id '${id}' belongs to another write`, {
      code: 'id-conflict',
      category: 'configuration',
      origin,
    });
  }

  /** What a write with this `key` would be merged into. */
  async unsent(partition: string, lane: string, key: string): Promise<Unsent> {
    const pointer = (await this.#rows.store.get(this.#rows.places.unsent(partition, lane, key)))?.value as
      | string
      | undefined;
    const row = pointer === undefined ? undefined : await this.#rows.row(pointer);
    if (!row || !isUnsent(row)) return { pointer };
    const entry = await this.#rows.packing.opened(row);
    return entry.unreadable ? { pointer } : { pointer, entry };
  }

  /** @throws where it would be too much; what there is, is told. */
  #admit(after: Totals, count: number, bytes: number): void {
    const { maxEntries, maxBytes } = this.#limits;
    if ((after.count > count && after.count > maxEntries) || (after.bytes > bytes && after.bytes > maxBytes))
      throw new CapacityError(
        'outbox-full',
        `the outbox holds ${count} entries of ${bytes} bytes and takes no more`,
      );
  }

  #placesOf({ id, partition, lane, coalesceKey }: Draft): {
    totals: string;
    alias?: string;
    unsent?: string;
  } {
    return {
      totals: this.#rows.places.totals,
      ...(id !== undefined && { alias: this.#rows.places.alias(partition, id) }),
      ...(coalesceKey !== undefined && { unsent: this.#rows.places.unsent(partition, lane, coalesceKey) }),
    };
  }
}

/** No sending of it has begun. */
const isUnsent = ({ state, claimedAt }: Row): boolean => state === 'waiting' && claimedAt === undefined;

/** The entry that has been made of a write. */
function unsealed(draft: Draft, { sealed: _, sealedReason: __, ...clear }: Row): OutboxEntry {
  return { ...draft, ...clear } as OutboxEntry;
}

/** Two writes in one: the place of the earlier, the content of the later. */
function merged(before: Row, later: Row, id: string | undefined): Row {
  const { key, acceptedAt, aliases = [] } = before;
  const all = id === undefined || id === before.id ? aliases : [...aliases, id];
  return {
    ...later,
    id: before.id,
    key,
    acceptedAt,
    revision: (before.revision ?? 0) + 1,
    ...(all.length > 0 && { aliases: all }),
  };
}

/** The same write as it was accepted then. */
const ofThen = (draft: Draft, { key, lane, origin }: IdRow): OutboxEntry =>
  ({ ...draft, key, lane, origin }) as OutboxEntry;
