import { concat, dropBody, watchBody } from '../../core/body.ts';
import { memoized } from '../../core/check.ts';
import { within } from '../../core/clock.ts';
import { type Call, type Handler, named, type Policy } from '../../core/contract.ts';
import { type Category, isFailure } from '../../core/errors.ts';
import { mayAnswer } from '../../core/instead.ts';
import { facts, rebuilt } from '../../core/rebuild.ts';
import { SOURCE_HEADER } from '../../core/source.ts';
import type { Item, Store, StoredBody } from '../../core/store.ts';
import {
  currentAge,
  freshFor,
  isOwnValidation,
  isStorable,
  mayBeStale,
  type Times,
  takesCopies,
} from '../../http/freshness.ts';
import { SAFE_METHODS } from '../../http/idempotency.ts';
import { varying } from '../../http/vary.ts';
import { readCacheOptions, readCallOptions, type StaleCacheOptions } from './options.ts';
import { type Copy, Shelf } from './shelf.ts';

export type { CallStaleCache, StaleCacheOptions } from './options.ts';

export interface StaleCache extends Policy {
  /** Forgets the copies of a partition, or all of them. @returns how many there were. */
  clear(options?: { readonly partition?: string }): Promise<number>;
  /** Forgets the copies of a URL. @returns how many there were. */
  delete(url: string, options: { readonly partition: string }): Promise<number>;
}

/** A read waits so long for the store and no longer: some browsers never answer an open. */
const STORE_PATIENCE = 2_000;

/** RFC 5861, 4: these mean the same as no answer. */
const UNANSWERED = [500, 502, 503, 504];

const UNREACHED: readonly Category[] = ['network', 'timeout', 'circuit-open', 'capacity', 'rate-limit'];

/**
 * Serves the last good copy when the origin cannot answer: network first, a private cache (RFC 9111), stale if error
 * (RFC 5861). A read never fails because the cache did.
 *
 * Copies belong to `call.partition`. What is served has `Age`, `Cache-Status` (RFC 9211) and `sourceOf(response)`
 * `'stale'`, or `'cache'` where it is still fresh.
 */
export function cachePolicy(options: StaleCacheOptions, defaultStore: () => Store): StaleCache {
  const settings = readCacheOptions(options, options.store ?? defaultStore());
  const callOptions = memoized((own) => readCallOptions(own, settings));
  const shelf = new Shelf(settings);

  /**
   * What the store does not give within its time it does not have.
   *
   * @throws the caller's reason, where the caller waits for it.
   */
  const patiently = async <T>(
    operation: string,
    call: Call,
    work: Promise<T>,
    waits?: Call['signal'],
  ): Promise<T | undefined> => {
    try {
      return await within(STORE_PATIENCE, { host: call.host, ...(waits && { signal: waits }) }, work);
    } catch (error) {
      waits?.throwIfAborted();
      call.emit?.({ type: 'store-failed', store: settings.store.name, operation, error });
      return undefined;
    }
  };

  /** Collects the body as the caller reads it, and keeps it once it is whole. */
  const keep = (request: Request, response: Response, call: Call, times: Times, asked: number): void => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    // Taken now: whoever holds on to the response keeps it from being collected.
    const kept = {
      ...times,
      url: request.url,
      response: facts(response),
      headers: [...response.headers].filter(([name]) => name !== 'set-cookie'),
      varying: varying(response.headers.get('vary'), request.headers),
      usedAt: times.receivedAt,
    };
    watchBody(response, {
      chunk(bytes) {
        size += bytes.byteLength;
        // A copy: what the reader gets is the reader's, and a stream of bytes takes the memory away.
        if (size <= settings.maxEntryBytes) chunks.push(bytes.slice());
        else chunks.length = 0;
      },
      settled(how) {
        if ((how !== 'ended' && how !== 'none') || size > settings.maxEntryBytes) return;
        const copy: Copy = { ...kept, size };
        call.waitUntil(
          patiently('keep', call, shelf.keep(call.partition, copy, concat(chunks, size), asked)).then(
            (evicted) => {
              if (!evicted) return;
              call.emit?.({
                type: 'cache-stored',
                callId: call.id,
                origin: call.origin,
                url: request.url,
                bytes: size,
              });
              if (evicted.entries) call.emit?.({ type: 'cache-evicted', ...evicted });
            },
          ),
        );
      },
    });
  };

  const lastGood = async (
    request: Request,
    call: Call,
    maxStale: number,
    cause: unknown,
  ): Promise<Response | undefined> => {
    const item = await patiently('find', call, shelf.find(call.partition, request), call.signal);
    if (!item) return undefined;
    const { value: copy } = item;
    const headers = new Headers(copy.headers as [string, string][]);
    const now = call.host.clock.now();
    const age = currentAge(headers, copy, now);
    if (!mayBeStale(headers, copy.receivedAt, age, maxStale)) return undefined;
    const body = await patiently('body', call, shelf.body(item), call.signal);
    if (body === undefined) return undefined;
    call.waitUntil(patiently('touch', call, shelf.touch(item, now)));
    call.emit?.({
      type: 'cache-served',
      callId: call.id,
      origin: call.origin,
      url: request.url,
      age: Math.floor(age / 1000),
      cause,
    });
    return served(item, body, headers, age);
  };

  /** How many pipelines use the store. */
  let users = 0;

  const policy: Policy = (next, home) => {
    users++;
    const leave = (): void => void (--users === 0 && settings.store.close().catch(() => {}));
    home.signal.addEventListener('abort', leave, { once: true });
    return (request, call) => answer(next, request, call);
  };

  const answer = async (next: Handler, request: Request, call: Call): Promise<Response> => {
    const { maxStale } = callOptions(call.options.staleCache);
    if (request.method !== 'GET') {
      const response = await next(request, call);
      // RFC 9111, 4.4: what changes a resource makes its copies wrong.
      if (!SAFE_METHODS.includes(request.method) && response.status >= 200 && response.status < 400)
        await patiently('forget', call, shelf.forget(call.partition, request.url));
      return response;
    }
    if (isOwnValidation(request)) return next(request, call);
    const requestedAt = call.host.clock.now();
    const asked = shelf.moment;
    try {
      const response = await next(request, call);
      const { status } = response;
      if (mayAnswer(call, response, UNANSWERED.includes(status))) {
        const copy =
          takesCopies(request) &&
          (await lastGood(request, call, maxStale, status).catch((reason) => {
            dropBody(response);
            throw reason;
          }));
        if (!copy) return response;
        dropBody(response);
        return copy;
      }
      // Gone is an answer: no older copy may say otherwise later.
      if (status === 404 || status === 410)
        await patiently('forget', call, shelf.forget(call.partition, request.url));
      if (isStorable(request, response) && request.cache !== 'no-store')
        keep(request, response, call, { requestedAt, receivedAt: call.host.clock.now() }, asked);
      return response;
    } catch (error) {
      const unreached = isFailure(error) && UNREACHED.includes(error.category);
      const may = mayAnswer(call, error, unreached) && !call.signal.aborted;
      const copy = may && takesCopies(request) && (await lastGood(request, call, maxStale, error));
      if (copy) return copy;
      throw error;
    }
  };

  return Object.assign(named('staleCache', policy, { needsPartition: true }), {
    clear: ({ partition }: { readonly partition?: string } = {}) => shelf.clear(partition),
    delete: (url: string, { partition }: { readonly partition: string }) =>
      shelf.forget(partition, new URL(url).href),
  });
}

/** A copy as a response, with its `url` and `type`, that says where it comes from. */
function served({ value: copy }: Item<Copy>, body: StoredBody, headers: Headers, age: number): Response {
  const left = freshFor(headers, copy.receivedAt) - age;
  headers.set('age', String(Math.floor(age / 1000)));
  // RFC 9211: our own member comes last; a negative ttl says stale.
  headers.append('cache-status', `holdfast; hit; ttl=${Math.floor(left / 1000)}`);
  headers.set(SOURCE_HEADER, left > 0 ? 'cache' : 'stale');
  return rebuilt(body, copy.response, headers);
}
