/** Compiled beside the installed package, as strictly as a user may ask for: what must compile, and what must not. */
import {
  type AuthOptions,
  auth,
  breaker,
  createClient,
  createFetch,
  type HoldfastEvent,
  isQueued,
  memoryStore,
  outbox,
  type Policy,
  pipeline,
  rateLimit,
  sourceOf,
  staleCache,
  standard,
} from 'holdfast';
import {
  betweenIsolates,
  type CoordinatorNamespace,
  coordinatorObject,
  durableObjectStore,
  type OutboxObject,
  outboxObject,
  outboxQueue,
  type QueueBatch,
  type QueueProducer,
  type SqlDurableObjectStorage,
  type WorkersKV,
  workersKVStore,
} from 'holdfast/cloudflare';
import { type DenoKv, denoKvStore } from 'holdfast/deno';
import { deviceKey, encryptWith } from 'holdfast/encryption';
import { killSwitch, serviceWorker, sharedSession } from 'holdfast/service-worker';
import { type SqlValue, sqlStore } from 'holdfast/sql';
import { testHost } from 'holdfast/testing';
import { type Unstorage, unstorageStore } from 'holdfast/unstorage';
import type { KyInstance } from 'ky';

export const resilient: typeof fetch = createFetch();

// The first example of the README.
const user = { id: 'ann' };
const box = outbox({ store: memoryStore(), authorize: (request) => request.headers.set('a', 'b') });
const api = createClient({
  baseUrl: 'https://api.example.com/',
  timeout: '5s',
  retry: 3,
  partition: () => user.id,
  staleCache: staleCache(),
  outbox: box,
});

export async function example(): Promise<string> {
  const orders = await api.get<{ id: string }[]>('orders').json();
  const answer = await api.post('orders', { json: orders, outbox: true, retry: 0 });
  await api.get('x', { timeout: '1s', outbox: { lane: 'cart', id: 'cart-7' } });
  await resilient('https://a.example.com/', { method: 'POST' });
  await own('https://a.example.com/', { signal: undefined });
  await api.fetch('https://a.example.com/', { holdfast: { retry: 0, timeout: { idle: false } } });
  if (isQueued(answer)) await box.result('id');
  return sourceOf(answer);
}

export const instance: KyInstance = api;
export const extended: KyInstance = api.extend({ timeout: 1_000, retry: { limit: 2, methods: ['get'] } });
export const shared = breaker({ failures: 3, openFor: '1s', maxWait: '2s' });

const logged: Policy = (next) => (request, call) => next(request, call);
export const own = pipeline([logged, ...standard({ breaker: shared })], {
  host: testHost(),
  onEvent: (event: HoldfastEvent) => event.type,
});

export function worker(): void {
  const session = sharedSession();
  const queue = outbox({ backgroundSync: true, encryption: encryptWith(deviceKey()) });
  const through = createFetch({ partition: session.partition, outbox: queue });
  const routes = [{ match: '/api/', outbox: { lane: 'api' } }];
  serviceWorker({ fetch: through, outbox: queue, ready: session.ready, routes });
  void killSwitch().turnOff();
}

export async function lookAfter(): Promise<void> {
  const merge = (earlier: Request, later: Request): Request => (earlier.url ? later : earlier);
  await api.put('doc', { json: {}, outbox: { coalesce: { key: 'doc', merge }, expiresAfter: '1h' } });
  await box.edit('a', (request) => new Request(request, { method: 'PUT' }));
  await box.replay('a', { key: 'new' });
  await box.flush({ onProgress: ({ left, total }) => left < total });
  for await (const { entry, body } of box.export({ state: 'dead-letter' })) void [entry.id, body];
  box.subscribe((news) => {
    if (news.type === 'finished' && !news.remote) void news.outcome;
  });
}

const origins = ['https://api.example.com'];
export const signed = auth({
  scheme: 'oauth2',
  grant: 'refresh_token',
  origins,
  tokenEndpoint: 'https://id.example.com/token',
  clientId: 'app',
  user: () => user.id,
});
export const anybody: AuthOptions = { scheme: 'bearer', origins, token: async ({ partition }) => partition };

export async function signIn(): Promise<void> {
  // It names the partition.
  const client = createClient({ auth: signed, staleCache: staleCache(), outbox: box });
  await signed.signIn(await client.post('login', { auth: false }).json());
  signed.subscribe((news) => news.type === 'signed-out' && void news.reason);
  await signed.signOut({ partition: 'ann' });
  createFetch({ auth: auth({ scheme: 'basic', origins, username: 'a', password: 'b' }) });
  createFetch({ auth: auth({ scheme: 'api-key', origins, header: 'X-Api-Key', key: () => 'k' }) });
  createFetch({
    auth: auth({
      scheme: 'oauth2',
      origins,
      grant: async ({ refreshToken: access_token = '' }) => ({ access_token }),
    }),
  });
  createFetch({
    auth: auth({ scheme: 'custom', origins, authorize: ({ headers }) => headers.set('a', 'b') }),
  });
}

/* Each scheme has options of its own. */
// @ts-expect-error: no scheme
auth({ origins, token: 't' });
// @ts-expect-error: no origins
auth({ scheme: 'bearer', token: 't' });
// @ts-expect-error: an option of another scheme
auth({ scheme: 'bearer', origins, token: 't', password: 'p' });
// @ts-expect-error: both
auth({ scheme: 'api-key', origins, key: 'k', header: 'a', query: 'b' });
// @ts-expect-error: no secret
auth({ scheme: 'oauth2', origins, grant: 'client_credentials', tokenEndpoint: 'https://a/', clientId: 'a' });
// @ts-expect-error: a sign-in has tokens
auth({ scheme: 'bearer', origins, token: 't' }).signIn({ access_token: 'a' });

/* A policy that stores data needs the partition. */
// @ts-expect-error: it does not name the signed-in user
createFetch({ auth: auth({ scheme: 'bearer', origins, token: 't' }), staleCache: staleCache() });
// @ts-expect-error: no partition
createFetch({ staleCache: staleCache() });
// @ts-expect-error: no partition
createClient({ outbox: box });

/* Units are part of the type. */
// @ts-expect-error: no unit
createFetch({ timeout: '5' });
// @ts-expect-error: no such unit
createFetch({ timeout: { total: '5w' } });

/* Unknown names do not compile. */
// @ts-expect-error: unknown option
createFetch({ retyr: 3 });
// @ts-expect-error: unknown option of a policy
createFetch({ retry: { limt: 3 } });
// @ts-expect-error: unknown option of a call
api.fetch('https://a.example.com/', { holdfast: { retyr: 3 } });

/* Policies are values that their factories made. */
// @ts-expect-error: not a policy
createFetch({ partition: 'a', staleCache: true });
// @ts-expect-error: a cache's store is not enough for an outbox
outbox({ store: { name: 'kv', durable: true } });

/** As `cloudflare:workers` declares it. */
declare abstract class DurableObject<Env = unknown> {
  protected ctx: { readonly storage: SqlDurableObjectStorage };
  protected env: Env;
  constructor(ctx: { readonly storage: SqlDurableObjectStorage }, env: Env);
}
interface Env {
  readonly TOKEN: string;
  readonly RESPONSES: WorkersKV;
  readonly COORDINATOR: CoordinatorNamespace;
  readonly QUEUE: QueueProducer;
  readonly ORDERS: { getByName(name: string): OutboxObject };
}
export class Coordinator extends coordinatorObject(DurableObject) {}
export class Orders extends outboxObject(DurableObject<Env>, ({ TOKEN }) => ({
  outbox: { authorize: ({ headers }) => headers.set('authorization', TOKEN) },
})) {
  readonly kept = durableObjectStore(this.ctx.storage);
}
export const edge = ({ COORDINATOR, RESPONSES, QUEUE, ORDERS }: Env) => {
  const share = betweenIsolates(COORDINATOR);
  const upstream = createFetch({
    breaker: breaker({ share }),
    rateLimit: rateLimit({ rate: 100, share }),
    partition: 'public',
    staleCache: staleCache({ store: workersKVStore(RESPONSES) }),
  });
  const writes = outboxQueue({
    queue: QUEUE,
    fetch: upstream,
    deadLetters: ({ partition }) => ORDERS.getByName(partition),
  });
  return { upstream, queue: (batch: QueueBatch) => writes.consume(batch) };
};
export const onDeno = (kv: DenoKv) => outbox({ store: denoKvStore(kv) });
interface Sqlite {
  prepare(query: string): { all(...values: SqlValue[]): Record<string, unknown>[] };
}
export const onNode = (database: Sqlite) =>
  outbox({ store: sqlStore({ exec: (query, ...values) => database.prepare(query).all(...values) }) });
export const onRedis = (storage: Unstorage) => ({
  cache: staleCache({ store: unstorageStore(storage) }),
  // @ts-expect-error: two processes may change one key at once
  wrong: () => outbox({ store: unstorageStore(storage) }),
});
