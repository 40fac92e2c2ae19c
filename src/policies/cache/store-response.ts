import { concat } from '../../core/body/body.ts';
import { responseMetadata } from '../../core/body/response.ts';
import { ownBody } from '../../core/body/watched-response.ts';
import { type Call, PUBLIC } from '../../core/contract.ts';
import type { Leaving, Run } from '../../core/stage.ts';
import { isQuotaExceeded, type StoredBody } from '../../core/store.ts';
import type { RequestDirectives } from '../../http/cache-control.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import { isOriginFailure } from '../../http/status.ts';
import {
  isCrossOriginRedirect,
  isShareable,
  isStorable,
  keptHeaders,
  minimumBodySize,
} from '../../http/storable.ts';
import { varying } from '../../http/vary.ts';
import { fnv1a } from '../../primitives/hash.ts';
import { originOf } from '../../primitives/request.ts';
import { type Cache, emitCallEvent, isStillUserOf, type Revalidation } from './cache-context.ts';
import type { CacheSettings } from './options.ts';
import type { StoredResponse } from './store/entry.ts';
import { WRITE_TIMEOUT } from './store/guarded-store.ts';

/** A read that the cache asks the origin for. Wall times in ms. */
export interface Exchange {
  /** As the caller made it. */
  readonly request: Request;
  readonly revalidation: Revalidation;
  readonly wanted: RequestDirectives;
  /** The generation when it was sent. */
  readonly generation: number;
  readonly requestedAt: number;
  receivedAt: number;
  /** It was sent with conditions of this cache. */
  readonly isConditional: boolean;
  /** A 304 was of no use. */
  isRepeated: boolean;
}

/** How many bytes may wait for a slow store; further responses are not stored. */
const WAITING = 50_000_000;

/** @returns updates the cache after a response: stores it as the caller reads it, once it is complete, or deletes older ones. */
export function createResponseStorer(cache: Cache) {
  const { settings, store, guarded } = cache;
  /** Bytes of bodies that are being written. */
  let waiting = 0;

  const write = async (
    stored: StoredResponse,
    body: Collector,
    call: Call,
    { generation, revalidation }: Exchange,
  ): Promise<void> => {
    const whole = body.whole();
    const hashed = { ...stored, bodyHash: whole instanceof Uint8Array ? fnv1a(whole) : undefined };
    const put = () => store.put(hashed, whole, call.id, generation);
    const kept = await put().catch(async (error) => {
      if (!isQuotaExceeded(error)) throw error;
      const room = await store.records.quota.evictQuarter();
      cache.evicted(room);
      if (room.entries === 0) throw error;
      return put();
    });
    if (!kept) return;
    cache.stats.stored++;
    emitCallEvent(call, { type: 'cache-stored', url: stored.url, bytes: body.size });
    // The caller has an older one.
    if (kept.isNew && revalidation.isServed) cache.updated(stored);
    cache.evicted(kept.evicted);
  };

  const storeResponse = ({ pipeline, call }: Run, response: Response, of: Exchange): Response => {
    const { partition } = call;
    const { request, requestedAt, receivedAt } = of;
    const { url } = request;
    // The browser sent the cookies of the user at that time, which may be another one now.
    const isOther = !isStillUserOf(pipeline, call);
    // A hanging store must not fill the memory with pending writes.
    if (guarded.isSuspended) return response;
    if (isOther) {
      cache.discarded('other-user', url);
      return response;
    }
    const least = minimumBodySize(response);
    const tooLarge = (): void => {
      cache.discarded('too-large', url);
      // An older response is not the origin's latest.
      call.waitUntil(invalidateUrls(cache, true, [url], call));
    };
    if (least > settings.maxEntryBytes) {
      tooLarge();
      return response;
    }
    // Read now, as a reference to the response would keep it from being collected.
    const stored: StoredResponse = {
      partition,
      url,
      requestedAt,
      receivedAt,
      response: responseMetadata(response),
      headers: keptHeaders(response.headers),
      varying: varying(response.headers.get('vary'), request, settings.vary),
    };
    const body = new Collector(settings.maxEntryBytes);
    // Announced before the response is handed on: an event of a service worker takes no work once it is over.
    let end = (_work?: Promise<void>): void => {};
    call.waitUntil(
      new Promise<void>((resolve) => {
        end = resolve;
      }),
    );
    return ownBody(response, {
      chunk: (bytes) => body.add(bytes),
      settled(how) {
        if (how !== 'ended' && how !== 'none') return end();
        if (body.isTooLarge) tooLarge();
        else if (body.size < least) cache.discarded('incomplete', url);
        else if (waiting + body.size <= WAITING) {
          waiting += body.size;
          const keep = () =>
            write(stored, body, call, of).finally(() => {
              waiting -= body.size;
            });
          return end(guarded.attempt('keep', keep, WRITE_TIMEOUT));
        }
        end();
      },
    });
  };

  const keep = (run: Run, response: Response, of: Exchange): void => {
    const { call, url } = run;
    if (of.revalidation.cached) emitCallEvent(call, { type: 'cache-revalidated', url, changed: true });
    if (!of.wanted.noStore) run.response = storeResponse(run, response, of);
  };

  return (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request } = of;
    const { call } = run;
    if (!isStorable(request, response))
      // Also a 404, 410 or unstorable response replaces older ones. That of a captive portal does not.
      return !isCrossOriginRedirect(request, response) && [200, 404, 410].includes(response.status)
        ? () => invalidateUrls(cache, true, [run.url], call)
        : undefined;
    // A failure with an explicit lifetime does not take the place of the response that stands in for it.
    if (isOriginFailure(response.status) || response.status === 429)
      return async () => {
        const cached = of.revalidation.cached ?? (await run.wait(Infinity, cache.find({ request, call })));
        if (!cached?.freshness.standsIn) keep(run, response, of);
        return undefined;
      };
    keep(run, response, of);
    return undefined;
  };
}

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
    const type = isGone ? 'cache-deleted' : 'cache-invalidated';
    if (entries) emit?.({ type, url, partition, entries });
  };
  await Promise.all(urls.map(one));
}

/** Whether a response in the partition of all users may be meant for one of them. */
export function isOfOneUser(
  { shared }: CacheSettings,
  { pipeline, call }: Run,
  request: Request,
  { headers, url }: Response,
): boolean {
  if (call.partition !== PUBLIC) return false;
  const ignored = shared === 'ignore-authorization' ? 'authorization' : undefined;
  const origins = [request.url, url].filter(Boolean).map(originOf);
  const isAuthorized =
    call.transport !== undefined ||
    [...request.headers.keys()].some(carriesCredentials) ||
    pipeline
      .credentials(call.options)
      .some((each) => origins.some((origin) => each.origins.includes(origin)));
  // Only browsers have cookies to include; elsewhere some engines say so of every request.
  const hasCookies =
    request.headers.has('cookie') || (request.credentials === 'include' && globalThis.location !== undefined);
  return !isShareable(headers, hasCookies || (isAuthorized && !ignored), ignored);
}

/** Pieces of this size are given to the platform, which keeps them outside the page's memory where it can. */
const PIECE = 262_144;

/** Smaller bodies are read and written faster as bytes; from about 64 KiB on engines make blobs of them anyway. */
const SMALL = 60_000;

/** Gathers a body as it is read: a small one as bytes, a large one as a blob, which is not in memory once more. */
class Collector {
  size = 0;
  readonly #limit: number;
  #parts: (Uint8Array<ArrayBuffer> | Blob)[] = [];
  /** Bytes that are not in a blob yet. */
  #pending = 0;

  /** @param limit In bytes; a larger body is dropped. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get isTooLarge(): boolean {
    return this.size > this.#limit;
  }

  add(bytes: Uint8Array): void {
    this.size += bytes.byteLength;
    this.#pending += bytes.byteLength;
    // Copied, because the reader owns its chunk, and a stream of bytes detaches the memory.
    if (this.isTooLarge) this.#parts = [];
    else this.#parts.push(new Uint8Array(bytes));
    if (this.#pending < PIECE) return;
    this.#parts = [new Blob(this.#parts)];
    this.#pending = 0;
  }

  whole(): StoredBody {
    return this.size < SMALL
      ? concat(this.#parts as Uint8Array<ArrayBuffer>[], this.size)
      : new Blob(this.#parts);
  }
}
