export { type DenoKvStoreOptions, denoKvStore } from './stores/deno-kv.ts';
export type { Bytes as DenoKvBytes, Key as DenoKvKey } from './stores/deno-kv-layout.ts';
export type { DenoKv, DenoKvAtomic, DenoKvEntry } from './stores/deno-kv-types.ts';
