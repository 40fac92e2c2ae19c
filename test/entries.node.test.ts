/** The names of the package: a change of this table is a change for applications. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** The values of each entry. */
const VALUES: Readonly<Record<string, string>> = {
  '.': 'AuthError CapacityError CircuitOpenError ClosedError ConfigurationError HTTPError HoldfastError NetworkError QueuedError ResultLostError StorageError TimeoutError UndeliveredError UserChangedError attemptTimeout auth betweenTabs breaker bulkhead categoryOf createClient createFetch dedupe definePolicy failover fallback hedge indexedDBStore isFailure isForceRetryError isHTTPError isKyError isNetworkError isQueued isTimeoutError memoryStore outbox outcomeOf pipeline rateLimit retry sourceOf staleCache standard strategies telemetry totalTimeout wholeBody',
  './batch': 'batch',
  './cloudflare':
    'betweenIsolates coordinatorObject durableObjectStore outboxObject outboxQueue webCacheStore workersKVStore',
  './deno': 'denoKvStore',
  './devtools': 'devtools faults',
  './encryption': 'deviceKey encryptWith',
  './env': 'optionsFromEnv',
  './health': 'clientHealth connectivity health monitor waitUntilHealthy',
  './log': 'consoleListener jsonLines listeners recordOf redact sampled severityOf userMessage',
  './metrics': 'metrics',
  './opentelemetry': 'openTelemetry',
  './problem': 'problemOf toProblemResponse',
  './service-worker': 'killSwitch serviceWorker sharedSession',
  './sql': 'sqlStore',
  './store': '',
  './testing':
    'brokenBody hang macrotask networkError ok scriptedOrigin seeded slow stalledBody status switchedConnectivity testHost virtualClock',
  './unstorage': 'unstorageStore',
};

/** How many types the root has at most: the rest belongs to an entry of its own, or to another type. */
const MOST_TYPES_AT_THE_ROOT = 52;

/** The files of the entries, by their names in `package.json`. */
const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, { readonly default: string } | string>;
};
const entries = Object.entries(exports).flatMap(([name, target]) =>
  typeof target === 'string' ? [] : [[name, target.default.replace('./dist/', 'src/').replace(/js$/, 'ts')]],
) as [name: string, file: string][];

function namesIn(file: string): { readonly values: string[]; readonly types: string[] } {
  const values: string[] = [];
  const types: string[] = [];
  for (const [, type, list = ''] of readFileSync(file, 'utf8').matchAll(/export (type )?\{([^}]*)\}/g))
    for (const each of list.split(',').map((name) => name.trim()))
      if (each) (type || each.startsWith('type ') ? types : values).push(each.replace(/^type /, ''));
  return { values: values.sort(), types };
}

test('the package has the entries of the table, and no others', () => {
  expect(entries.map(([name]) => name).sort()).toEqual(Object.keys(VALUES).sort());
});

test.each(entries)('%s exports the values of the table, and no others', (name, file) => {
  expect(namesIn(file).values.join(' ')).toBe(VALUES[name]);
});

test('the documentation lists all entries', () => {
  const listed = [...readFileSync('docs/README.md', 'utf8').matchAll(/`holdfast(\/[\w-]+)?`/g)];
  expect(listed.map(([, name = '']) => `.${name}`).sort()).toEqual(Object.keys(VALUES).sort());
});

test('the root has the types that an application names, and not those of rare entries', () => {
  expect(namesIn('src/index.ts').types.length).toBeLessThanOrEqual(MOST_TYPES_AT_THE_ROOT);
});
