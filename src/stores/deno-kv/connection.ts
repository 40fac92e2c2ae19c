import { StorageError } from '../../core/errors.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Bytes } from '../../primitives/units.ts';
import { withMethods } from '../../primitives/validate.ts';

export type Key = readonly (string | number | Bytes)[];

/** The used part of a `Deno.Kv`. */
export interface DenoKv {
  getMany(keys: readonly Key[]): Promise<DenoKvEntry[]>;
  list(
    selector: { readonly start: Key; readonly end: Key },
    options: { readonly limit: number; readonly batchSize: number },
  ): AsyncIterable<DenoKvEntry>;
  atomic(): DenoKvAtomic;
  close(): void;
}

export interface DenoKvEntry {
  readonly key: readonly unknown[];
  readonly value: unknown;
  readonly versionstamp: string | null;
}

export interface DenoKvAtomic {
  check(check: { readonly key: Key; readonly versionstamp: string | null }): DenoKvAtomic;
  set(key: Key, value: unknown, options?: { readonly expireIn?: number }): DenoKvAtomic;
  delete(key: Key): DenoKvAtomic;
  commit(): Promise<{ readonly ok: boolean; readonly versionstamp?: string }>;
}

/** A write under a key; without a value, a deletion. */
export interface Mutation {
  readonly key: Key;
  readonly value?: Bytes | string | object | true;
  /** In ms. */
  readonly expireIn?: number;
}

/** So many keys are read at once. */
const TOGETHER = 10;

/**
 * So often it is tried to do something while another process has the database. A try takes a tenth of a millisecond, and a
 * commit some milliseconds.
 */
const TRIES = 10_000;

const EXPECTED = 'an open Deno.Kv, or a function that opens one';

const kvRule = /* @__PURE__ */ withMethods<DenoKv>(EXPECTED, 'getMany', 'list', 'atomic', 'close');

export type KvConnection = ReturnType<typeof kvConnection>;

/** A database that is opened when it is needed. Other processes may have it open as well. */
export function kvConnection(given: DenoKv | (() => Promise<DenoKv>), option: string) {
  if (given === undefined)
    throw new ConfigurationError(
      option,
      given,
      `expected ${EXPECTED}; Deno.openKv is there with --unstable-kv`,
    );
  if (typeof given !== 'function') kvRule(given, option);
  let opening: Promise<DenoKv> | undefined;

  const open = (): Promise<DenoKv> => {
    opening ??= (async () => {
      if (typeof given !== 'function') return given;
      try {
        return kvRule(await given(), option);
      } catch (cause) {
        opening = undefined;
        if (cause instanceof ConfigurationError) throw cause;
        // The likely cause, which the platform's own error does not name.
        const { Deno: deno } = globalThis as { readonly Deno?: { readonly openKv?: unknown } };
        const hint = deno && !deno.openKv ? ', as Deno runs without --unstable-kv' : '';
        throw new StorageError(`Deno KV: it could not be opened${hint}: ${cause}`, { cause });
      }
    })();
    return opening;
  };

  return {
    /** Entries in the order of the keys. More than ten are not read at one moment. */
    async read(keys: readonly Key[]): Promise<DenoKvEntry[]> {
      const kv = await open();
      const pages = chunks(keys, TOGETHER).map((page) => unlocked(() => kv.getMany(page)));
      return (await Promise.all(pages)).flat();
    },

    /** Entries under a key, by its next part: from one up to another. @param size How many are read at once. */
    async *list(
      under: Key,
      { low, high }: { readonly low: Bytes; readonly high: Bytes },
      size: number,
    ): AsyncGenerator<{ readonly name: Bytes; readonly value: unknown; readonly stamp: string }> {
      const kv = await open();
      for (let from = low; ; ) {
        const selector = { start: [...under, from], end: [...under, high] };
        const options = { limit: size, batchSize: size };
        const page = await unlocked(async () => {
          const found: DenoKvEntry[] = [];
          for await (const entry of kv.list(selector, options)) found.push(entry);
          return found;
        });
        for (const { key, value, versionstamp } of page)
          yield { name: key[under.length] as Bytes, value, stamp: versionstamp as string };
        const last = page.at(-1);
        if (!last || page.length < size) return;
        from = justAfter(last.key[under.length] as Bytes);
      }
    },

    /** @returns the new versionstamp; `undefined` if a check failed and nothing was written. */
    async commit(
      mutations: readonly Mutation[],
      checks: readonly Parameters<DenoKvAtomic['check']>[0][] = [],
    ): Promise<string | undefined> {
      const kv = await open();
      const { ok, versionstamp } = await unlocked(() => {
        const atomic = checks.reduce((all, check) => all.check(check), kv.atomic());
        return mutations
          .reduce(
            (all, { key, value, expireIn }) =>
              value === undefined
                ? all.delete(key)
                : all.set(key, value, expireIn ? { expireIn } : undefined),
            atomic,
          )
          .commit();
      });
      return ok ? versionstamp : undefined;
    },

    /** Gives it back, if it was opened here. A later use opens it again. */
    async close(): Promise<void> {
      const closing = opening;
      opening = undefined;
      if (typeof given === 'function') (await closing?.catch(() => undefined))?.close();
    },
  };
}

/** After a name and all that is under it, and before every other. */
export const justAfter = (name: Bytes): Bytes => new Uint8Array([...name, 0]);

export const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));

/** SQLite lets one process write at a time, and Deno does not wait for the other. */
async function unlocked<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries >= TRIES || !isLocked(error)) throw error;
    }
  }
}

export const isLocked = (error: unknown): boolean => /database is locked/.test(`${error}`);
