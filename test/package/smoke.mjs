/** What must hold wherever the packed package is used, by its public names alone. It is copied beside an installed one. */
import {
  breaker,
  createClient,
  createFetch,
  isQueued,
  memoryStore,
  outbox,
  pipeline,
  sourceOf,
  staleCache,
  standard,
} from 'holdfast';
import { ok, scriptedOrigin, status, testHost } from 'holdfast/testing';

/** Nobody listens there. */
const NOBODY = 'http://127.0.0.1:9/';

const unique = () => `${Date.now()}-${Math.random().toString(36).slice(2)}`;

const checks = {
  async 'createFetch gets an answer'(origin) {
    const fetch = createFetch();
    const response = await fetch(`${origin}/echo`);
    equal(response.status, 200);
    equal((await response.json()).method, 'GET');
    await fetch.close();
  },
  async 'createFetch retries what says later'(origin) {
    const fetch = createFetch({ retry: { delay: () => 1 } });
    const response = await fetch(`${origin}/echo?sequence=503,503,200&key=${unique()}`);
    equal(response.status, 200);
    await response.text();
    await fetch.close();
  },
  async 'a network error is a TypeError, and opens the circuit'() {
    const circuit = breaker({ failures: 1, maxWait: 0 });
    const fetch = createFetch({ retry: false, breaker: circuit });
    equal((await failure(fetch(NOBODY))) instanceof TypeError, true);
    equal((await failure(fetch(NOBODY))).code, 'circuit-open');
    equal(circuit.states()['http://127.0.0.1:9'].state, 'open');
    await fetch.close();
  },
  async 'a time limit ends an attempt that hangs'(origin) {
    const fetch = createFetch({ timeout: '100ms', retry: false });
    equal((await failure(fetch(`${origin}/echo?hang=1`))).name, 'TimeoutError');
    await fetch.close();
  },
  async 'createClient is ky over the policies'(origin) {
    const api = createClient({ baseUrl: origin, retry: { delay: () => 1 } });
    equal((await api.get('/echo', { searchParams: { a: 1 } }).json()).method, 'GET');
    equal((await failure(api.get('/status/404'))).name, 'HTTPError');
    await api.close();
  },
  async 'staleCache gives the last good copy'(origin) {
    const url = `${origin}/echo?sequence=ok,503&key=${unique()}`;
    const fetch = createFetch({ partition: unique(), staleCache: staleCache(), retry: false });
    const first = await (await fetch(url)).text();
    await eventually(async () => {
      const copy = await fetch(url);
      equal(await copy.text(), first);
      equal(sourceOf(copy), 'stale');
    });
    await fetch.close();
  },
  async 'outbox keeps a write until it is delivered'(origin) {
    const id = unique();
    const store = 'indexedDB' in globalThis ? {} : { store: memoryStore() };
    const box = outbox({ ...store, backoffLimit: 1 });
    const fetch = createFetch({ name: id, partition: id, outbox: box });
    const url = `${origin}/write/${id}?sequence=503,ok&key=${id}`;
    const answer = await fetch(url, { method: 'POST', body: 'order', holdfast: { outbox: { id } } });
    equal(isQueued(answer), true);
    const result = box.result(id);
    await box.flush();
    equal((await result).status, 201);
    equal((await box.counts()).count, 0);
    await fetch.close();
  },
  async 'a pipeline of one’s own, in virtual time'() {
    const host = testHost();
    const origin = scriptedOrigin(host.clock);
    const fetch = pipeline(standard({ retry: { jitter: 'none' } }), { host, fetch: origin.fetch });
    origin.replies(status(503, { 'retry-after': '20' }), ok('at last'));
    equal(await (await fetch('https://api.example.com/')).text(), 'at last');
    equal(host.clock.slept[0] >= 20_000, true);
    await fetch.close();
  },
};

/** @returns the names of the checks that passed, which are all of them, as the first that does not is thrown */
export async function run(origin) {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(origin);
    } catch (error) {
      throw new Error(`${name}: ${error}`, { cause: error });
    }
  }
  return Object.keys(checks);
}

function equal(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`expected ${expected}, got ${actual}`);
}

const failure = (call) =>
  call.then(
    () => undefined,
    (error) => error,
  );

/** Copies are kept in the background: asked again until it holds, a few times. */
async function eventually(check) {
  for (let tries = 20; ; tries--) {
    try {
      return await check();
    } catch (error) {
      if (tries === 0) throw error;
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}
