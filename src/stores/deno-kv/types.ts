import type { Key } from './layout.ts';

/** What is used of a `Deno.Kv`. */
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
