import { sourceOf } from '../../../src/core/outcome.ts';
import { isFailure } from '../../../src/index.ts';
import { watchDelays } from './delays.ts';
import { faultOf } from './faults.ts';
import { type Client, clientOf } from './policies.ts';
import type { Case, Method, Result } from './row.ts';
import { effects, misbehave, type Place, places, type Traffic, traffic } from './server.ts';

/**
 * The caller's timeout for a call that has no limits, and for one whose limits should have ended
 * it. In ms.
 */
const TIMEOUTS = { native: 4_000, limited: 25_000 };

/** How long the server may take to notice the end of a request, in ms. */
const NOTICED = 5_000;

export interface Played extends Omit<Result, 'time'> {
  /** In ms. */
  readonly took: number;
  /** Requests that were open although the call was over. */
  readonly open: number;
  /** The machine was too busy to keep the times of this case: its result says nothing. */
  readonly isDisturbed: boolean;
  /** It needs a connection that was used before, and got a new one, as each POST does in WebKit. */
  readonly isMissed: boolean;
}

/** At this delay, in ms, a machine keeps none of the limits of a case. */
const DISTURBED = 150;

/** Makes one call against the fault and reports its result. */
export async function play(given: Case, expected: Result): Promise<Played> {
  const fault = faultOf(given.fault);
  const here = places[fault.at]();
  const other = places.other();
  const path = `/matrix/${crypto.randomUUID()}`;
  const { behaviour, limits } = fault;
  const instruction = typeof behaviour === 'function' ? behaviour(`${other.url}${path}`) : behaviour;
  const client = clientOf(given.policies, { origin: here.url, other: other.url, limits });
  const { fetch, outbox } = client;
  const target = here.url + path;
  if (client.hasCache && given.method === 'GET') await storeResponse(client, target);

  const heal = await misbehave(here, path, instruction, given.span === 'first' ? 1 : undefined);
  const callTimeout = given.policies === 'native' ? TIMEOUTS.native : TIMEOUTS.limited;
  const delays = watchDelays();
  const { outcome, took } = await outcomeOf(callTimeout, (signal) =>
    fetch(target, { ...initOf(given.method), signal, holdfast: { outbox: outbox ? true : undefined } }),
  );
  const both = (): Promise<Traffic[]> => Promise.all([here, other].map((place) => traffic(place, path)));
  const [first, second] = (await both()) as [Traffic, Traffic];
  const requests = second.count > 0 ? `${first.count} + ${second.count}` : `${first.count}`;
  const opened = first.open + second.open;
  const open = opened && (await eventually(async () => sum((await both()).map((each) => each.open)), isNone));
  const applied = await appliedBy(given, client, [here, other], path, heal, expected);
  await fetch.close();
  const isMissed = fault.at === 'reused' && !first.isReused;
  return { outcome, requests, applied, took, open, isDisturbed: delays() > DISTURBED, isMissed };
}

function initOf(method: Method): RequestInit {
  if (method === 'GET') return { method };
  const headers = { 'content-type': 'text/plain' };
  if (method !== 'POST, key') return { method, body: 'order', headers };
  return { method: 'POST', body: 'order', headers: { ...headers, 'idempotency-key': crypto.randomUUID() } };
}

async function storeResponse({ fetch, answering, emitted }: Client, target: string): Promise<void> {
  await answering(new Response('cached'), async () => {
    const kept = emitted('cache-stored');
    await (await fetch(target)).text();
    await kept;
  });
}

/** The result of the call, down to the end of the body. */
async function outcomeOf(
  callTimeout: number,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<{ outcome: string; took: number }> {
  const caller = new AbortController();
  const givenUp = { outcome: 'given up by the caller' };
  const timer = setTimeout(() => caller.abort(givenUp), callTimeout);
  const words = (error: unknown): string =>
    error === givenUp
      ? givenUp.outcome
      : `${(error as Error).name}${isFailure(error) ? ` ${error.code}` : ''}`;
  const since = performance.now();
  let outcome: string;
  try {
    const response = await send(caller.signal);
    outcome = `${response.status} ${sourceOf(response)}`;
    await response.text().catch((error) => {
      outcome += `, then ${words(error)}`;
    });
  } catch (error) {
    outcome = words(error);
  }
  clearTimeout(timer);
  return { outcome, took: performance.now() - since };
}

/** A queued write must be delivered once the server is well again, and applied once. */
async function appliedBy(
  { fault, method }: Case,
  { outbox }: Client,
  where: readonly Place[],
  path: string,
  heal: () => Promise<void>,
  expected: Result,
): Promise<string> {
  if (method === 'GET') return '';
  const read = async (): Promise<number> =>
    sum(await Promise.all(where.map((place) => effects(place, path))));
  // A write that is still under way keeps its key: the same one would be a conflict.
  if (fault === 'late') await eventually(read, (applied) => applied >= Number(expected.applied || 1));
  let waiting = (await outbox?.entries()) ?? [];
  if (outbox && waiting.length > 0) {
    await heal();
    await outbox.flush();
    waiting = await outbox.entries();
    if (waiting.length > 0)
      return waiting.map(({ state }) => (state === 'dead-letter' ? 'dead' : 'kept')).join();
  }
  return String(await eventually(read, (applied) => String(applied) === expected.applied));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

const isNone = (count: number): boolean => count === 0;

/** The first value that is right, or the last one that is not. */
async function eventually<T>(read: () => Promise<T>, isRight: (value: T) => boolean): Promise<T> {
  for (const since = performance.now(); ; ) {
    const value = await read();
    if (isRight(value) || performance.now() - since > NOTICED) return value;
    await new Promise((next) => setTimeout(next, 20));
  }
}
