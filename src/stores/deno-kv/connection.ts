import { StorageError } from '../../core/errors.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Bytes } from '../../primitives/units.ts';
import { withMethods } from '../../primitives/validate.ts';
import { justAfter, type Key } from './layout.ts';

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

/** So many keys are read at once. */
const TOGETHER = 10;

/**
 * So often it is tried to do something while another process has the database. A try takes a tenth of a millisecond, and a
 * commit some milliseconds.
 */
const TRIES = 10_000;

const EXPECTED = 'an open Deno.Kv, or a function that opens one';

const kvRule = withMethods<DenoKv>(EXPECTED, 'getMany', 'list', 'atomic', 'close');

/** A database that is opened when it is needed. Other processes may have it open as well. */
export class KvConnection {
  readonly #given: DenoKv | (() => Promise<DenoKv>);
  readonly #option: string;
  #opening: Promise<DenoKv> | undefined;

  constructor(given: DenoKv | (() => Promise<DenoKv>), option: string) {
    if (given === undefined)
      throw new ConfigurationError(
        option,
        given,
        `expected ${EXPECTED}; Deno.openKv is there with --unstable-kv`,
      );
    this.#given = typeof given === 'function' ? given : kvRule(given, option);
    this.#option = option;
  }

  /** Entries in the order of the keys. More than ten are not read at one moment. */
  async read(keys: readonly Key[]): Promise<DenoKvEntry[]> {
    const kv = await this.#open();
    const pages: Promise<DenoKvEntry[]>[] = [];
    for (let at = 0; at < keys.length; at += TOGETHER)
      pages.push(withTimeout(() => kv.getMany(keys.slice(at, at + TOGETHER))));
    return (await Promise.all(pages)).flat();
  }

  /** Entries under a key, by its next part: from one up to another. @param size How many are read at once. */
  async *list(
    under: Key,
    { low, high }: { readonly low: Bytes; readonly high: Bytes },
    size: number,
  ): AsyncGenerator<{ readonly name: Bytes; readonly value: unknown; readonly stamp: string }> {
    const kv = await this.#open();
    for (let from = low; ; ) {
      const selector = { start: [...under, from], end: [...under, high] };
      const page = await withTimeout(() => all(kv.list(selector, { limit: size, batchSize: size })));
      for (const { key, value, versionstamp } of page)
        yield { name: key[under.length] as Bytes, value, stamp: versionstamp as string };
      const last = page.at(-1);
      if (!last || page.length < size) return;
      from = justAfter(last.key[under.length] as Bytes);
    }
  }

  /** @returns the new versionstamp; `undefined` if a check failed and nothing was written. */
  async commit(build: (atomic: DenoKvAtomic) => DenoKvAtomic): Promise<string | undefined> {
    const kv = await this.#open();
    const { ok, versionstamp } = await withTimeout(() => build(kv.atomic()).commit());
    return ok ? versionstamp : undefined;
  }

  /** Gives it back, if it was opened here. A later use opens it again. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    if (typeof this.#given === 'function') (await opening?.catch(() => undefined))?.close();
  }

  #open(): Promise<DenoKv> {
    this.#opening ??= this.#opened();
    return this.#opening;
  }

  async #opened(): Promise<DenoKv> {
    if (typeof this.#given !== 'function') return this.#given;
    try {
      return kvRule(await this.#given(), this.#option);
    } catch (cause) {
      this.#opening = undefined;
      if (cause instanceof ConfigurationError) throw cause;
      throw new StorageError(`Deno KV: it could not be opened${hint()}: ${cause}`, { cause });
    }
  }
}

async function all<T>(of: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of of) found.push(each);
  return found;
}

/** The likely cause, which the platform's own error does not name. */
function hint(): string {
  const { Deno: deno } = globalThis as { readonly Deno?: { readonly openKv?: unknown } };
  return deno && !deno.openKv ? ', as Deno runs without --unstable-kv' : '';
}

/** SQLite lets one process write at a time, and Deno does not wait for the other. */
async function withTimeout<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries >= TRIES || !/database is locked/.test(`${error}`)) throw error;
    }
  }
}
