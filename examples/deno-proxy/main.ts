import { createFetch, fallback, outbox, staleCache } from 'holdfast';
import { denoKvStore } from 'holdfast/deno';
import { toProblemResponse } from 'holdfast/problem';

const upstream = Deno.env.get('UPSTREAM') ?? 'https://api.example.com';
const port = Number(Deno.env.get('PORT') ?? 8000);

const kv = await Deno.openKv(Deno.env.get('DATABASE') ?? './proxy.db');
const writes = outbox({ store: denoKvStore(kv, { name: 'outbox' }), pollInterval: '5s' });

const fetch = createFetch({
  name: 'proxy',
  partition: 'public', // one cached response for all clients: cache nothing personal
  timeout: { attempt: '2s', total: '5s' },
  staleCache: staleCache({ store: denoKvStore(kv, { name: 'responses' }), maxStale: '1d' }),
  outbox: writes,
  fallback: fallback((error, { response }) => toProblemResponse(error ?? response)),
});

/** Headers of the client that the upstream needs. The rest, such as cookies, stays here. */
const FORWARDED = ['accept', 'content-type', 'idempotency-key', 'if-match', 'if-none-match'];

async function proxy(request: Request): Promise<Response> {
  const { method, signal } = request;
  const { pathname, search } = new URL(request.url);
  const [, section, id] = pathname.split('/');
  if (section === 'accepted') return id ? accepted(id) : Response.json(await writes.counts());

  // Not as a reference to resolve: the path `//other.example/` would name another host.
  const url = Object.assign(new URL(upstream), { pathname, search });
  const headers = new Headers();
  for (const name of FORWARDED)
    if (request.headers.has(name)) headers.set(name, `${request.headers.get(name)}`);
  // The upstream's response as it is: its body streams through.
  if (method === 'GET' || method === 'HEAD') return fetch(url, { method, headers, signal });
  return accept(url, { method, headers, body: await request.arrayBuffer() });
}

/**
 * Commits the write to disk before the first attempt. The client gets the upstream's response if it comes at once, else a
 * 202; from then on nothing loses the write. Writes to one collection arrive in order. A client that repeats its request
 * under the same `Idempotency-Key` has written once.
 */
async function accept(url: URL, write: RequestInit & { headers: Headers }): Promise<Response> {
  const id = write.headers.get('idempotency-key') ?? crypto.randomUUID();
  const lane = url.pathname.split('/')[1] ?? '';
  const response = await fetch(url, { ...write, holdfast: { outbox: { id, lane } } });
  const headers = new Headers(response.headers);
  headers.set('location', `/accepted/${id}`);
  return new Response(response.body, { status: response.status, headers });
}

/** The upstream's response to an accepted write; 202 as long as there is none. */
async function accepted(id: string): Promise<Response> {
  const signal = AbortSignal.timeout(1000);
  return writes.result(id, { signal }).catch((error) => {
    if (!signal.aborted) throw error;
    return Response.json({ queued: true, id }, { status: 202 });
  });
}

// On a platform that starts a process only for an event, this event delivers. A server that always runs needs no cron.
const stopping = new AbortController();
Deno.cron?.('deliver', '* * * * *', { signal: stopping.signal }, async () => {
  await writes.flush({ due: true });
});

const server = Deno.serve(
  { hostname: '127.0.0.1', port, onListen: (at) => console.log(`http://127.0.0.1:${at.port}`) },
  (request) => proxy(request).catch(toProblemResponse),
);

/** Ends well: running responses are sent, lanes are given back, what is queued is sent by the next process. */
async function stop(): Promise<void> {
  if (stopping.signal.aborted) return;
  stopping.abort();
  await server.shutdown();
  await fetch.close();
  kv.close();
  Deno.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) Deno.addSignalListener(signal, () => void stop());
