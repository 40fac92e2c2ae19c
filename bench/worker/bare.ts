/** The Worker of the playground as it would be without the library: nothing is kept that is not delivered at once. */
import { DurableObject, env } from 'cloudflare:workers';

interface Env {
  readonly UPSTREAM: string;
}

const { UPSTREAM } = env as unknown as Env;

export class Orders extends DurableObject {}

export default {
  async fetch(request: Request): Promise<Response> {
    const [, resource] = new URL(request.url).pathname.split('/');
    if (resource !== 'orders') return new Response('try /orders', { status: 404 });
    return fetch(`${UPSTREAM}/orders`, request);
  },
};
