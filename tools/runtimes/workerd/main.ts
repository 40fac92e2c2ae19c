import { DurableObject } from 'cloudflare:workers';
import { coordinatorObject, outboxObject } from '../../../src/cloudflare.ts';

/** Durable Objects in which tests run: with a database, and of the kind that came before. */
export class Box extends DurableObject {}
export class BoxWithoutSql extends DurableObject {}

/** An outbox; a test says what it sends to, in the isolate that both are in. */
export class Orders extends outboxObject(DurableObject, () => ({
  fetch: (request) =>
    (globalThis as unknown as { upstream: (request: Request) => Promise<Response> }).upstream(request),
  retry: false,
  breaker: false,
  outbox: { maxEntries: 50 },
})) {}

/** What isolates share. */
export class Coordinator extends coordinatorObject(DurableObject) {}

export default {};
