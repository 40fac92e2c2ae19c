import { type Answer, digest, empty, json, names, problem, unlessKnown } from './answer.ts';
import { productsOf } from './products.ts';
import type { Exchange } from './routes.ts';

export interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
  readonly placedAt: string;
  readonly version: number;
}

/** `order` is absent when it was deleted. */
export interface OrderLine {
  readonly kind: 'order';
  readonly shop: string;
  readonly id: string;
  readonly order?: Order;
}

interface Shop {
  readonly orders: Map<string, Order>;
  numbered: number;
}

export type Orders = ReturnType<typeof createOrders>;

// Old enough to need asking at once, good enough to be shown for a day when the server cannot be asked.
const caching = { 'Cache-Control': 'max-age=0, stale-if-error=86400' };

/** Orders, in as many shops as there are prefixes of `/orders`: tests that run side by side each take their own. */
export function createOrders(record: (line: OrderLine) => void) {
  const shops = new Map<string, Shop>();

  function shopAt(prefix: string): Shop {
    const shop = shops.get(prefix) ?? { orders: new Map(), numbered: 0 };
    shops.set(prefix, shop);
    return shop;
  }

  function keep(shop: string, order: Order): void {
    shopAt(shop).orders.set(order.id, order);
    record({ kind: 'order', shop, id: order.id, order });
  }

  function collection(shop: string, { method, headers, body }: Exchange): Answer {
    if (method === 'GET' || method === 'HEAD') {
      const list = [...shopAt(shop).orders.values()];
      const etag = `"${digest(Buffer.from(JSON.stringify(list))).slice(0, 16)}"`;
      return unlessKnown(json(200, list, { ...caching, ETag: etag }), headers['if-none-match']);
    }
    if (method !== 'POST') return problem(405, 'Method not allowed', {}, { Allow: 'GET, HEAD, POST' });
    const wanted = parse(body);
    if ('status' in wanted) return wanted;
    const order = placed(`order-${++shopAt(shop).numbered}`, wanted);
    keep(shop, order);
    return json(201, order, { Location: `${shop}/orders/${order.id}`, ETag: etagOf(order) });
  }

  function single(shop: string, id: string, { method, headers, body }: Exchange): Answer {
    const present = shopAt(shop).orders.get(id);
    const failed = precondition(
      present,
      headers['if-match'],
      method === 'PUT' ? headers['if-none-match'] : undefined,
    );
    switch (method) {
      case 'GET':
      case 'HEAD':
        if (!present) return problem(404, 'No such order');
        return unlessKnown(
          json(200, present, { ...caching, ETag: etagOf(present) }),
          headers['if-none-match'],
        );
      case 'PUT': {
        if (failed) return failed;
        const wanted = parse(body);
        if ('status' in wanted) return wanted;
        const order = placed(id, wanted, present);
        keep(shop, order);
        return json(present ? 200 : 201, order, { ETag: etagOf(order) });
      }
      case 'DELETE':
        if (failed) return failed;
        if (!present) return problem(404, 'No such order');
        shopAt(shop).orders.delete(id);
        record({ kind: 'order', shop, id });
        return empty(204);
      default:
        return problem(405, 'Method not allowed', {}, { Allow: 'GET, HEAD, PUT, DELETE' });
    }
  }

  return {
    answer(shop: string, id: string | undefined, exchange: Exchange): Answer {
      return id === undefined ? collection(shop, exchange) : single(shop, id, exchange);
    },
    /** The articles of the shop, and the number of orders of each. */
    products: (shop: string): Answer => json(200, productsOf([...shopAt(shop).orders.values()]), caching),
    clear: () => shops.clear(),
    /** Takes up a line that an earlier process wrote. */
    restore({ shop, id, order }: OrderLine): void {
      const known = shopAt(shop);
      known.numbered = Math.max(known.numbered, Number(/^order-(\d+)$/.exec(id)?.[1] ?? 0));
      if (order) known.orders.set(id, order);
      else known.orders.delete(id);
    },
  };
}

type Wish = Pick<Order, 'item' | 'quantity'>;

function parse(body: Buffer): Wish | Answer {
  let wish: Partial<Record<keyof Wish, unknown>> | null;
  try {
    wish = JSON.parse(body.toString());
  } catch (error) {
    return problem(400, 'The body is not JSON', { detail: (error as Error).message });
  }
  const { item, quantity = 1 } = wish ?? {};
  const errors = [
    ...(typeof item === 'string' && item !== ''
      ? []
      : [{ pointer: '#/item', detail: 'must name what is ordered' }]),
    ...(Number.isInteger(quantity) && Number(quantity) > 0
      ? []
      : [{ pointer: '#/quantity', detail: 'must be a whole number from 1' }]),
  ];
  if (errors.length > 0) return problem(422, 'The order is not valid', { errors });
  return { item: String(item), quantity: Number(quantity) };
}

function placed(id: string, wish: Wish, before?: Order): Order {
  const placedAt = before?.placedAt ?? new Date().toISOString();
  return { id, ...wish, placedAt, version: (before?.version ?? 0) + 1 };
}

function etagOf({ id, version }: Order): string {
  return `"${id}-v${version}"`;
}

/** RFC 9110, 13.1.1 and 13.1.2. */
function precondition(
  present: Order | undefined,
  ifMatch?: string,
  ifNoneMatch?: string,
): Answer | undefined {
  const known = present && etagOf(present);
  const lost = ifMatch !== undefined && !(known !== undefined && names(ifMatch, known));
  const taken = ifNoneMatch !== undefined && known !== undefined && names(ifNoneMatch, known);
  if (!lost && !taken) return undefined;
  return problem(
    412,
    'The order has changed',
    { current: present ?? null },
    known === undefined ? {} : { ETag: known },
  );
}
