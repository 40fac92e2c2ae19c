/** Compiled, and never run: which store is enough for what. */
import { memoryStore, outbox, staleCache } from 'holdfast';
import { durableObjectStore, webCacheStore, workersKVStore } from 'holdfast/cloudflare';
import { denoKvStore } from 'holdfast/deno';
import { sqlStore } from 'holdfast/sql';
import type { AtomicStore, Store } from 'holdfast/store';
import { unstorageStore } from 'holdfast/unstorage';
import { createStorage } from 'unstorage';

declare const given: never;

const stores: readonly Store[] = [
  durableObjectStore(given),
  denoKvStore(given),
  workersKVStore(given),
  webCacheStore(given),
  unstorageStore(createStorage()),
];
for (const store of stores) staleCache({ store });

const atomic: readonly AtomicStore[] = [
  memoryStore(),
  durableObjectStore(given),
  denoKvStore(given),
  sqlStore({ exec: () => [] }),
];
for (const store of atomic) outbox({ store });

// @ts-expect-error: two may change one key at once
outbox({ store: workersKVStore(given) });
// @ts-expect-error: it may be dropped
outbox({ store: webCacheStore(given) });
// @ts-expect-error: two may change one key at once
outbox({ store: unstorageStore(createStorage()) });
