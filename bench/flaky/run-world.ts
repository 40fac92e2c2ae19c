import type { Contestant, Fetch } from './contestants/contestant.ts';
import type { OpenWorld } from './origin/origins.ts';
import type { CallOptions, Row } from './rows/row.ts';

/** What the counted calls of one or more worlds came to. */
export interface Tally {
  calls: number;
  /** Requests that were sent for them. */
  requests: number;
  /** Milliseconds from each call that succeeded to the end of its body. */
  times: number[];
}

/** Longer than any time limit of any contestant. A call that is not over then has failed. */
const STUCK = 60_000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets one contestant live through one world with a client of its own. */
export async function runWorld(
  row: Row,
  contestant: Contestant,
  { open, seed }: { open: OpenWorld; seed: number },
): Promise<Tally> {
  const world = await open(row.weather, seed);
  const tally: Tally = { calls: 0, requests: 0, times: [] };
  const counted = new Set<string>();
  const fetch: Fetch = (input, init) => {
    if (counted.has(input instanceof Request ? input.url : String(input))) tally.requests++;
    return globalThis.fetch(input, init);
  };
  const send = contestant.make({ fetch, limit: row.limit, cached: row.cached });

  const sentTo = (number: number, { path = '/items', method = 'GET', key, streamed }: CallOptions) => {
    const body = method === 'GET' ? {} : { body: JSON.stringify({ call: number }) };
    return {
      url: `${world.url}${path}?call=${number}`,
      method,
      headers: {
        ...(method !== 'GET' && { 'content-type': 'application/json' }),
        ...(key && { 'idempotency-key': `${seed}-${number}` }),
      },
      ...body,
      streamed: streamed ?? false,
    };
  };

  async function call(number: number, options: CallOptions = {}): Promise<void> {
    const sent = sentTo(number, options);
    const counts = options.counts ?? true;
    if (counts) {
      counted.add(sent.url);
      tally.calls++;
    }
    const start = performance.now();
    const body = await within(STUCK, send(sent));
    if (counts && isRight(body, number, sent.streamed)) tally.times.push(performance.now() - start);
  }

  const warm = Array.from({ length: row.warm ?? 0 }, (_, number) => send(sentTo(number, {})));
  // A warm-up may run out of time on a busy machine; its world counts all the same.
  await Promise.allSettled(warm);
  await world.start();
  await row.script({ call, wait });
  await world.close();
  return tally;
}

/** `undefined` if the call fails or takes longer. */
function within(ms: number, body: Promise<string>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const settle = (value?: string): void => {
      clearTimeout(timer);
      resolve(value);
    };
    body.then(settle, () => settle());
  });
}

function isRight(body: string | undefined, call: number, streamed: boolean): boolean {
  if (!body) return false;
  if (streamed) return body === `{"call":${call},"line":1}\n{"call":${call},"line":2}\n`;
  const { call: of, items } = JSON.parse(body) as { call: number; items: unknown[] };
  return of === call && items.length === 20;
}
