import type { Transport } from './contestant.ts';

const body = JSON.stringify({ id: 1, items: [1, 2, 3], note: 'two of each, please' });
const ok = { headers: { 'content-type': 'application/json' } };
const unavailable = { status: 503, headers: { 'content-type': 'text/plain' } };

/** Succeeds at once. */
export const answering: Transport = async () => new Response(body, ok);

/** 503, 503, 200 for each URL, and again. */
export function recovering(): Transport {
  const failures = new Map<string, number>();
  return async (input) => {
    const url = input instanceof Request ? input.url : String(input);
    const failed = failures.get(url) ?? 0;
    failures.set(url, (failed + 1) % 3);
    return failed < 2 ? new Response('later', unavailable) : new Response(body, ok);
  };
}

/** Cannot be reached. */
export const unreachable: Transport = async () => {
  throw new TypeError('fetch failed');
};

/** It never responds. */
export const silent: Transport = () => new Promise(() => {});
