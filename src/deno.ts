export type { Bytes as DenoKvBytes } from './primitives/units.ts';
export type { DenoKv, DenoKvAtomic, DenoKvEntry, Key as DenoKvKey } from './stores/deno-kv/connection.ts';
export { type DenoKvStoreOptions, denoKvStore } from './stores/deno-kv/deno-kv.ts';
