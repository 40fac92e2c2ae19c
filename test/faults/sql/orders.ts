import { createHash } from 'node:crypto';
import { type Entry, outOfOrder } from '../../../tools/misbehaving-server/ledger.ts';

export interface Order {
  readonly id: string;
  /** Characters of its note. */
  readonly size: number;
}

export const bodyOf = ({ id, size }: Order): string => JSON.stringify({ item: id, note: 'x'.repeat(size) });

/** The results of the callers. */
export interface Reports {
  readonly given: Map<string, Order>;
  /** With which status. */
  readonly accepted: Map<string, number>;
  /** With which code. */
  readonly refused: Map<string, string>;
}

export const newReports = (): Reports => ({ given: new Map(), accepted: new Map(), refused: new Map() });

/** Records one line of a process. */
export function record(results: Reports, line: string): void {
  const [what, id = '', how = ''] = line.split(' ');
  if (what === 'given') results.given.set(id, { id, size: Number(how) });
  if (what === 'accepted') results.accepted.set(id, Number(how));
  if (what === 'refused') results.refused.set(id, how);
}

/** The order of an entry of the ledger; it keeps the beginning of a body. */
const orderOf = ({ body }: Entry): string => /"item":"([^"]+)"/.exec(body ?? '')?.[1] ?? `${body}`;

/** Compares the results of the callers with the effects. `wrong` is empty if all is well. */
export function reckon(results: Reports, all: readonly Entry[]) {
  const ledger = all.filter(({ body }) => body !== null);
  const applied = new Map<string, number>();
  for (const entry of ledger) applied.set(orderOf(entry), (applied.get(orderOf(entry)) ?? 0) + entry.applied);
  const wrong = {
    lost: [...results.accepted.keys()].filter((id) => !applied.get(id)),
    appliedTwice: [...applied].filter(([, times]) => times > 1).map(([id]) => id),
    keyTwice: ledger.length - applied.size,
    overlapping: ledger.filter(({ overlaps }) => overlaps).map(orderOf),
    outOfOrder: outOfOrder(ledger, orderOf),
    spoilt: ledger.filter((entry) => isSpoilt(entry, results)).map(orderOf),
    refusedAndSent: [...results.refused.keys()].filter((id) => applied.has(id)),
    refused: [...results.refused.values()].filter((code) => code !== 'storage'),
  };
  const sent = ledger.reduce((sum, { seen }) => sum + seen, 0);
  const queued = [...results.accepted.values()].filter((status) => status === 202).length;
  return {
    wrong,
    summary: [
      `${results.given.size} given, ${results.accepted.size} accepted (${queued} with a 202), ${results.refused.size} refused`,
      `${ledger.length} delivered, ${sent - ledger.length} sendings beyond the first of each`,
    ].join('; '),
  };
}

export const nothingWrong: ReturnType<typeof reckon>['wrong'] = {
  lost: [],
  appliedTwice: [],
  keyTwice: 0,
  overlapping: [],
  outOfOrder: [],
  spoilt: [],
  refusedAndSent: [],
  refused: [],
};

function isSpoilt(entry: Entry, { given }: Reports): boolean {
  const order = given.get(orderOf(entry));
  return !order || entry.bodyDigest !== createHash('sha256').update(bodyOf(order)).digest('hex');
}
