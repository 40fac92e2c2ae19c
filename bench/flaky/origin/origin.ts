import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { between, draw } from './draw.ts';
import { badPeriods } from './periods.ts';
import { respond, stream } from './respond.ts';
import type { Fault, Weather } from './weather.ts';

export interface Origin {
  readonly url: string;
  /** The weather begins. Until then the origin is healthy. */
  start(): Promise<void>;
  close(): void;
}

const LATENCY = [5, 20] as const;

/**
 * One origin with faults, on an address of its own.
 *
 * A fault depends on the seed, the number of the call (`?call=`) and how often it was sent, so that each contestant meets
 * the same ones; in bursts it depends on the time.
 */
export async function openOrigin(host: string, weather: Weather, seed: number): Promise<Origin> {
  const sockets = new Set<Socket>();
  const silent = new WeakSet<Socket>();
  const attempts = new Map<number, number>();
  const timers: NodeJS.Timeout[] = [];
  const bad = weather.bursts ? badPeriods(weather.bursts, seed) : [];
  let startedAt: number | undefined;
  let silence = false;

  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    request.resume();
    request.on('error', () => {});
    handle(request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (silence) silent.add(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const call = Number(searchParams.get('call'));
    const attempt = attempts.get(call) ?? 0;
    attempts.set(call, attempt + 1);
    const fault = startedAt === undefined ? undefined : faultOf(pathname, call, attempt);
    const latency = between(weather.latency ?? LATENCY, draw(seed, call, attempt, 1));
    setTimeout(() => {
      if (silent.has(request.socket) || request.socket.destroyed) return;
      if (pathname === '/stream') stream(call, weather.pause ?? 0, response);
      else respond(fault, { call, request, response });
    }, latency);
  }

  function faultOf(path: string, call: number, attempt: number): Fault | undefined {
    const { shares = [], bursts } = weather;
    const chance = draw(seed, call, attempt, 2);
    const one = (faults: readonly Fault[]) =>
      faults[Math.floor(draw(seed, call, attempt, 3) * faults.length)];
    for (const share of shares)
      if (chance < share.rate && (share.path ?? path) === path) return one(share.faults);
    const now = performance.now() - (startedAt ?? 0);
    const isBad = bad.some(({ from, to }) => from <= now && now < to);
    if (isBad && bursts && bursts.faults !== 'refuse' && chance < bursts.rate) return one(bursts.faults);
    return undefined;
  }

  function refuse(): Promise<unknown> {
    const closed = server.listening ? once(server, 'close') : undefined;
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    return Promise.resolve(closed);
  }
  function accept(): void {
    if (!server.listening) server.listen(port, host);
  }
  const at = (ms: number, work: () => unknown): void => {
    timers.push(setTimeout(work, ms));
  };
  function cutOff({ at: moment, back, how }: NonNullable<Weather['cut']>): void {
    const over = moment + between(back, draw(seed, 4));
    if (how === 'destroyed') {
      at(moment, refuse);
      at(over, accept);
      return;
    }
    at(moment, () => {
      silence = true;
      for (const socket of sockets) silent.add(socket);
    });
    at(over, () => {
      silence = false;
    });
  }

  return {
    url: `http://${host}:${port}`,
    async start() {
      startedAt = performance.now();
      attempts.clear();
      const { down, cut, bursts } = weather;
      if (cut) cutOff(cut);
      const periods = [...(down ? [down] : []), ...(bursts?.faults === 'refuse' ? bad : [])];
      for (const { from, to } of periods) {
        if (from === 0) await refuse();
        else at(from, refuse);
        at(to, accept);
      }
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
