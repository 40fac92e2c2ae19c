import { type Answer, digest, problem } from './answer.ts';

/** All that is known of one write: of one Idempotency-Key, or of one request that had none. */
export interface Entry {
  readonly key: string | null;
  readonly method: string;
  readonly path: string;
  /** When it first arrived. */
  readonly at: number;
  /** SHA-256, in hexadecimal; `null` until a whole body has come. */
  bodyDigest: string | null;
  /** The body as text, its first 2 kB. */
  body: string | null;
  /** The `X-Lane` header, if any. */
  lane: string | null;
  /** How often it was on the wire. */
  seen: number;
  /** How often it took effect. */
  applied: number;
  /** The place of its first effect among all first effects, from 1. */
  nth: number | null;
  /**
   * Whether it was in flight at the same time as another write to the same path; not where the earlier one's client
   * turned out to have gone by then.
   */
  overlaps: boolean;
}

/** How long after the arrival of the next request the end of a client may be noticed, in ms. */
export const HEARD_LATE = 100;

export interface Stored {
  readonly fingerprint: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Account {
  readonly id: number;
  readonly entry: Entry;
  stored?: Stored;
  /** Requests with this key that have arrived and have not yet been decided on. */
  pending: number;
}

/** One write on its way through the server. */
export interface Write {
  readonly account: Account;
  /** Where this one was sent, which is not always where its key was first seen. */
  readonly path: string;
  readonly busy: boolean;
  body: Buffer;
  settled: boolean;
  /** Those that arrived while this one was in flight, and when. */
  met: { readonly later: Write; readonly at: number }[];
}

export type LedgerLine =
  | { readonly kind: 'entry'; readonly id: number; readonly entry: Entry; readonly stored?: Stored }
  | { readonly kind: 'ledger-cleared' };

export type Ledger = ReturnType<typeof createLedger>;

/** The book of writes, and the server's half of the bargain that an Idempotency-Key is. */
export function createLedger(record: (line: LedgerLine) => void) {
  const accounts = new Map<number, Account>();
  const byKey = new Map<string, Account>();
  const inFlight = new Map<string, Set<Write>>();
  let lastId = 0;
  let effects = 0;

  function open(id: number, entry: Entry, stored?: Stored): Account {
    const account: Account = { id, entry, pending: 0, ...(stored && { stored }) };
    accounts.set(id, account);
    if (entry.key !== null) byKey.set(entry.key, account);
    return account;
  }

  function note({ id, entry, stored }: Account): void {
    // A late result of a write from before the ledger was cleared is ignored.
    if (accounts.has(id)) record({ kind: 'entry', id, entry, ...(stored && { stored }) });
  }

  function overlapped(write: Write): void {
    for (const { later } of write.met.splice(0))
      for (const { account } of [write, later]) {
        account.entry.overlaps = true;
        note(account);
      }
  }

  function clear(): void {
    accounts.clear();
    byKey.clear();
    effects = 0;
  }

  return {
    arrive({
      key,
      method,
      path,
      lane,
    }: {
      key: string | null;
      method: string;
      path: string;
      lane: string | null;
    }): Write {
      const known = key === null ? undefined : byKey.get(key);
      const fresh: Entry = {
        key,
        method,
        path,
        at: Date.now(),
        bodyDigest: null,
        body: null,
        lane,
        seen: 0,
        applied: 0,
        nth: null,
        overlaps: false,
      };
      const account = known ?? open(++lastId, fresh);
      account.entry.seen++;

      const others = inFlight.get(path) ?? new Set();
      inFlight.set(path, others);
      const write: Write = {
        account,
        path,
        busy: account.pending++ > 0,
        body: Buffer.alloc(0),
        settled: false,
        met: [],
      };
      for (const other of others) other.met.push({ later: write, at: performance.now() });
      others.add(write);
      return write;
    },

    read(write: Write, body: Buffer): void {
      write.body = body;
      const { entry, stored } = write.account;
      // The ledger shows the first body; a later, different one under the same key is only an error.
      if (!stored) {
        entry.bodyDigest = digest(body);
        entry.body = body.subarray(0, 2048).toString();
      }
      note(write.account);
    },

    /** The key is free again: this request has been decided on, or never will be. */
    settle(write: Write): void {
      if (write.settled) return;
      write.settled = true;
      write.account.pending--;
    },

    /** @param isGone Not the server has ended it, but the client, which may have done so a moment ago. */
    leave(write: Write, isGone: boolean): void {
      const since = performance.now() - HEARD_LATE;
      if (isGone) write.met = write.met.filter(({ at }) => at < since);
      overlapped(write);
      const others = inFlight.get(write.path);
      others?.delete(write);
      if (others?.size === 0) inFlight.delete(write.path);
    },

    /** Lets the write take effect, unless its key has done so already. */
    apply(write: Write, method: string, path: string, honourKey: boolean, effect: () => Answer): Answer {
      const { account } = write;
      const { entry, stored } = account;
      const fingerprint = `${method} ${path} ${digest(write.body)}`;
      if (honourKey && entry.key !== null) {
        if (stored && stored.fingerprint !== fingerprint) {
          return problem(422, 'This Idempotency-Key was used for another request', { code: 'key-reused' });
        }
        if (stored) {
          const { status, headers, body } = stored;
          return {
            status,
            headers: { ...headers, 'Idempotency-Replayed': 'true' },
            body: Buffer.from(body, 'base64'),
          };
        }
        if (write.busy) {
          return problem(409, 'A request with this Idempotency-Key is still in flight', {
            code: 'key-in-flight',
          });
        }
      }
      const answer = effect();
      // Only success is remembered: what was refused may be corrected and sent again under its key.
      if (answer.status < 300) {
        entry.applied++;
        entry.nth ??= ++effects;
        const { status, headers, body } = answer;
        account.stored ??= { fingerprint, status, headers, body: body.toString('base64') };
        note(account);
      }
      return answer;
    },

    entries(): Entry[] {
      const since = performance.now() - HEARD_LATE;
      for (const write of [...inFlight.values()].flatMap((writes) => [...writes]))
        if (write.met.some(({ at }) => at < since)) overlapped(write);
      return [...accounts.values()].map(({ entry }) => entry);
    },

    clear(): void {
      clear();
      record({ kind: 'ledger-cleared' });
    },

    /** Takes up a line that an earlier process wrote. */
    restore(line: LedgerLine): void {
      if (line.kind === 'ledger-cleared') {
        clear();
      } else {
        open(line.id, line.entry, line.stored);
        lastId = Math.max(lastId, line.id);
        effects = Math.max(effects, line.entry.nth ?? 0);
      }
    },
  };
}

/**
 * The key that a header carries, as a structured field string (`"…"`) or bare; `null` if there is no header, and
 * `undefined` if what it carries is no key.
 */
export function parseKey(header: string | undefined): string | null | undefined {
  if (header === undefined) return null;
  if (/^[^"\s]+$/.test(header)) return header;
  const [, quoted] = /^"((?:[^"\\]|\\["\\])+)"$/.exec(header) ?? [];
  return quoted?.replace(/\\(["\\])/g, '$1');
}

/**
 * Writes that took effect before what their customer had given earlier.
 *
 * @param orderOf Gives the name of an order: what belongs together, and last its number, with dots between.
 */
export function outOfOrder(ledger: readonly Entry[], orderOf: (entry: Entry) => string): string[] {
  const wrong: string[] = [];
  const last = new Map<string, number>();
  const applied = ledger.filter(({ nth }) => nth !== null);
  for (const entry of applied.toSorted((a, b) => (a.nth ?? 0) - (b.nth ?? 0))) {
    const order = orderOf(entry);
    const end = order.lastIndexOf('.');
    const customer = order.slice(0, end);
    const nth = Number(order.slice(end + 1));
    if ((last.get(customer) ?? -1) > nth) wrong.push(order);
    last.set(customer, nth);
  }
  return wrong;
}
