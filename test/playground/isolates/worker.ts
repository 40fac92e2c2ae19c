/** Run as many Workers, each an isolate of its own, and as the one that has the object which they share. */
import { DurableObject, env } from 'cloudflare:workers';
import { breaker, createFetch, type HoldfastEvent, isFailure, rateLimit } from 'holdfast';
import { betweenIsolates, type CoordinatorObject, coordinatorObject } from 'holdfast/cloudflare';

interface Env {
  readonly UPSTREAM: string;
  /** Whether to share, and whether there is a client for each request. */
  readonly SHARES: boolean;
  readonly PER_REQUEST: boolean;
  readonly COORDINATOR: {
    getByName(name: string): Pick<Coordinator, 'exchange' | 'count' | 'behave' | 'die'>;
  };
}

const bound = env as unknown as Env;

/** It misbehaves on request. */
export class Coordinator extends (coordinatorObject(DurableObject) as new (
  ctx: { abort(reason: string): void },
  env: unknown,
) => CoordinatorObject) {
  readonly #ctx: { abort(reason: string): void };
  manner = 'well';
  exchanges = 0;

  constructor(ctx: { abort(reason: string): void }, env: unknown) {
    super(ctx, env);
    this.#ctx = ctx;
  }

  override async exchange(report: Parameters<CoordinatorObject['exchange']>[0]) {
    this.exchanges++;
    if (this.manner === 'overloaded')
      throw Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true });
    if (this.manner === 'silent') return new Promise<never>(() => {});
    if (this.manner === 'garbage') return { from: 5, states: 'none' } as never;
    return super.exchange(report);
  }

  behave(manner: string): void {
    this.manner = manner;
  }

  count(): number {
    return this.exchanges;
  }

  /** Its memory is lost. */
  die(): void {
    this.#ctx.abort('killed');
  }
}

const emitted: HoldfastEvent[] = [];

function made() {
  const share = bound.SHARES ? betweenIsolates(bound.COORDINATOR) : undefined;
  return createFetch({
    retry: false,
    timeout: { attempt: '1s', total: '3s' },
    // Isolates share what they know; nothing is to wait for it.
    breaker: breaker({ openFor: '2s', maxWait: 0, ...(share && { share }) }),
    rateLimit: rateLimit({ maxWait: 0, ...(share && { share }) }),
    onEvent: (event) => emitted.push(event),
  });
}

const ofIsolate = made();

interface Context {
  waitUntil(work: Promise<unknown>): void;
}

export default {
  async fetch(
    request: Request,
    { UPSTREAM, PER_REQUEST, COORDINATOR }: Env,
    ctx: Context,
  ): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/emitted') return Response.json(emitted.map(({ type }) => type));
    const object = COORDINATOR.getByName('default');
    if (pathname === '/count') return Response.json(await object.count());
    if (pathname === '/behave') await object.behave(searchParams.get('manner') ?? 'well');
    if (pathname === '/die') await object.die();
    if (pathname !== '/call') return new Response();
    const upstream = PER_REQUEST ? made() : ofIsolate;
    try {
      const answer = await upstream(UPSTREAM, { holdfast: { waitUntil: (work) => ctx.waitUntil(work) } });
      await answer.text();
      return Response.json(answer.status);
    } catch (error) {
      return Response.json(isFailure(error) ? error.code : String(error));
    }
  },
};
