import { auth, createClient, outbox, sourceOf, staleCache } from 'holdfast';
import { type Session, session } from './session.ts';

export interface Order {
  readonly id: string;
  readonly item: string;
}

const baseUrl = new URL('/api/', location.href);

export const box = outbox<Order>();

const client = createClient({
  baseUrl,
  partition: () => session.current?.user,
  auth: auth({ scheme: 'bearer', origins: [baseUrl.origin], token: () => session.current?.token }),
  // If a cached response exists, the user waits no longer than 2 s.
  staleCache: staleCache({ respondAfter: '2s' }),
  outbox: box,
});

/** `isOld`: the origin did not respond, and the orders come from a cached response. */
export async function loadOrders(signal: AbortSignal) {
  const response = await client.get<Order[]>('orders', { signal });
  return { orders: await response.json(), isOld: sourceOf(response) === 'stale' };
}

/** Resolves when the outbox has accepted the order. The id is made once, so a double click is one order. */
export async function saveOrder(order: Order): Promise<void> {
  await client.put(`orders/${order.id}`, { json: order, outbox: { id: order.id, meta: order } });
}

export async function signIn(user: string): Promise<string> {
  session.begin(await client.post<Session>('session', { json: { user }, auth: false }).json());
  return user;
}

export async function signOut(undelivered: 'keep' | 'remove'): Promise<void> {
  await client.signOut({ undelivered });
  session.end();
}
