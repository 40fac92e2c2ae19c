import type { Call } from '../../core/contract.ts';
import type { Leaving, Run } from '../../core/stage.ts';
import { invalidatedBy } from '../../http/invalidation.ts';
import { isOriginFailure } from '../../http/status.ts';
import type { Desk } from './desk.ts';

/**
 * Marks the copies of some URLs as wrong, or forgets them, for as long as a caller may wait for it. Those that are wrong may still
 * stand in for a failing origin.
 */
export async function outdate(
  desk: Desk,
  isGone: boolean,
  urls: readonly string[],
  { host, partition, emit }: Call,
): Promise<undefined> {
  const { patience, shelf } = desk;
  const operation = isGone ? 'forget' : 'invalidate';
  const one = async (url: string): Promise<void> => {
    const now = host.clock.now();
    const entries = await patience.soon(operation, host, () => shelf[operation](partition, url, now));
    const type = isGone ? 'cache-forgotten' : 'cache-invalidated';
    if (entries) emit?.({ type, url, partition, entries });
  };
  await Promise.all(urls.map(one));
}

/** The origin asks for the end of all that is stored (https://www.w3.org/TR/clear-site-data/). */
export const clearsCache = ({ headers }: Response): boolean =>
  /"(cache|storage|\*)"/.test(headers.get('clear-site-data') ?? '');

/** Drops all cached responses of the partition. */
export const clear = ({ patience, shelf }: Desk, { host, partition }: Call): Promise<unknown> =>
  patience.soon('clear', host, () => shelf.forget(partition, undefined, host.clock.now()));

/** RFC 9111, 4.4: what changes a resource makes its copies wrong. */
export function written(desk: Desk, run: Run): Leaving | undefined {
  const { call, request, response } = run;
  const { host, partition } = call;
  // A redirect that the platform does not let us see has a status of 0.
  if (response && response.status < 400) {
    const isGone = request.method === 'DELETE' || desk.settings.invalidated === 'drop';
    return () => outdate(desk, isGone, invalidatedBy(request, response), call);
  }
  // What failed may have been carried out all the same.
  const isUnsure = response ? isOriginFailure(response.status) : run.isSent || call.attempts.length > 0;
  if (!isUnsure) return undefined;
  const { patience, shelf } = desk;
  // Begun now: if the caller has gone, the stage does no work.
  const done = patience.behind('doubt', () => shelf.doubt(partition, run.url, host.clock.now()));
  return () => patience.waiting('doubt', host, done) as Promise<undefined>;
}
