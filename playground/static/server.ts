/** The server of the static build: a service worker that misbehaves on request, as `tools/misbehaving-server` does. */

import { productsOf } from '../../tools/misbehaving-server/products.ts';
import { applyOrder, type Rule, read, update } from './state.ts';

/** What this worker uses of its global scope. TypeScript's own types of it exclude those of a page. */
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: ScopeEvent) => void): void;
}
interface ScopeEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
  waitUntil(work: Promise<unknown>): void;
}

const scope = globalThis as unknown as Scope;
const api = new URL('api/', scope.registration.scope).href;

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));
for (const type of ['activate', 'message'])
  scope.addEventListener(type, (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener('fetch', (event) => {
  const { url } = event.request;
  if (url.startsWith(api)) event.respondWith(respond(event.request, url.slice(api.length)));
});

async function respond(request: Request, path: string): Promise<Response> {
  if (path.startsWith('control/')) return control(request, path.slice('control/'.length));
  const { rule, hasVanished } = await read();
  if (hasVanished) return Response.error();
  const { hang, status, unknown } = rule && applies(rule, request) ? rule.behaviour : {};
  if (hang) return new Promise(() => {});
  if (status) return problem(status, 'Misbehaves on request');
  const response = await handle(request, path);
  return unknown ? Response.error() : response;
}

const applies = ({ match }: Rule, { method }: Request): boolean => !match.method || match.method === method;

async function handle(request: Request, path: string): Promise<Response> {
  const { orders } = await read();
  if (request.method === 'POST' && path === 'orders') return order(request);
  if (path === 'orders') return json(orders);
  return path === 'products' ? json(productsOf(orders)) : problem(404, 'There is nothing here');
}

async function order(request: Request): Promise<Response> {
  const key = request.headers.get('idempotency-key')?.replaceAll('"', '') ?? null;
  const { item, quantity } = await request.json();
  if (item && quantity > 0) return json(await applyOrder(key, { item, quantity }), 201);
  await applyOrder(key, undefined);
  return problem(422, 'The order is not valid', [{ detail: 'must name what is ordered, and how many' }]);
}

async function control(request: Request, command: string): Promise<Response> {
  if (command === 'ledger') return json((await read()).ledger);
  if (command === 'behaviour') {
    const rule = (await request.json()) as Rule;
    await update((now) => ({ ...now, rule }));
  } else if (command === 'vanish') await update((now) => ({ ...now, hasVanished: true }));
  else if (command === 'heal') await update((now) => ({ ...now, rule: undefined, hasVanished: false }));
  const { rule, hasVanished } = await read();
  return json({ vanished: hasVanished, rules: rule ? [rule] : [] });
}

const json = (value: unknown, status = 200): Response =>
  Response.json(value, { status, headers: { 'cache-control': 'max-age=0, stale-if-error=86400' } });

const problem = (status: number, title: string, errors?: object[]): Response =>
  Response.json(
    { status, title, errors },
    { status, headers: { 'content-type': 'application/problem+json' } },
  );
