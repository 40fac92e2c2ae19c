import type { Call } from '../../core/contract.ts';
import type { Leaving, Run } from '../../core/stage.ts';
import { isOriginFailure } from '../../http/status.ts';
import type { Cache } from './cache-context.ts';

/**
 * Invalidates or deletes the cached responses of some URLs, for as long as a caller may wait. Invalidated ones may still stand in for
 * a failing origin.
 */
export async function invalidateUrls(
  { guarded, store }: Cache,
  isGone: boolean,
  urls: readonly string[],
  { partition, emit }: Call,
): Promise<undefined> {
  const operation = isGone ? 'delete' : 'invalidate';
  const one = async (url: string): Promise<void> => {
    const entries = await guarded.attempt(operation, () => store[operation](partition, url));
    const type = isGone ? 'cache-forgotten' : 'cache-invalidated';
    if (entries) emit?.({ type, url, partition, entries });
  };
  await Promise.all(urls.map(one));
}

/** The origin asks for the end of all that is stored (https://www.w3.org/TR/clear-site-data/). */
export const clearsCache = ({ headers }: Response): boolean =>
  /"(cache|storage|\*)"/.test(headers.get('clear-site-data') ?? '');

/** RFC 9111, 4.4: a write invalidates the cached responses of its URL. */
export function afterWrite(cache: Cache, run: Run): Leaving | undefined {
  const { call, request, response } = run;
  // A redirect that the platform does not let us see has a status of 0.
  if (response && response.status < 400) {
    const isGone = request.method === 'DELETE' || cache.settings.invalidated === 'drop';
    return () => invalidateUrls(cache, isGone, invalidatedBy(request, response), call);
  }
  // The origin may have processed a write that failed.
  const isUnsure = response ? isOriginFailure(response.status) : run.isSent || call.attempts.length > 0;
  if (!isUnsure) return undefined;
  const { guarded, store } = cache;
  // Begun now: if the caller has gone, the stage does no work.
  const done = guarded.inBackground('doubt', () => store.doubt(call.partition, run.url));
  return () => guarded.waitFor('doubt', done) as Promise<undefined>;
}

/**
 * The URLs of which a write invalidates the cached responses (RFC 9111, 4.4): its own, where redirects led it, and those that its
 * response names, where they are of the same origin.
 */
export function invalidatedBy(request: Request, response: Response): string[] {
  // `response.url` counts only after a redirect: otherwise a policy has sent the request to a mirror.
  const base = (response.redirected && response.url) || request.url;
  const urls = new Set([request.url, base]);
  for (const field of ['location', 'content-location']) {
    const named = response.headers.get(field);
    if (!named || !URL.canParse(named, base)) continue;
    const url = new URL(named, base);
    if (url.origin === new URL(base).origin) urls.add(url.href);
  }
  return [...urls];
}
