import { concat, ownBody } from '../../core/body.ts';
import type { Call, PipelineContext } from '../../core/contract.ts';
import { isQuotaExceeded } from '../../core/full.ts';
import { fnv1a } from '../../core/hash.ts';
import { responseMetadata } from '../../core/rebuild.ts';
import type { StoredBody } from '../../core/store.ts';
import type { Times } from '../../http/freshness.ts';
import { keptHeaders, leastSize } from '../../http/storable.ts';
import { varying } from '../../http/vary.ts';
import { type Desk, isOf, told } from './desk.ts';
import type { Copy } from './entry.ts';
import { outdate } from './invalidate.ts';
import type { Question } from './question.ts';

/** A read that the cache asks the origin for. */
export interface Asked extends Times {
  /** As the caller made it. */
  readonly request: Request;
  readonly question: Question;
  /** What had been forgotten by then. */
  readonly moment: number;
}

/** So many bytes may wait for a slow store; what comes then is not kept. */
const WAITING = 50_000_000;

/** @returns the response to hand on. */
export type Keep = (pipeline: PipelineContext, response: Response, call: Call, asked: Asked) => Response;

/** Collects a body as the caller reads it, and keeps it once it is whole. */
export function keeper(desk: Desk): Keep {
  const { settings, shelf, patience } = desk;
  /** Bytes of bodies that are being written. */
  let waiting = 0;

  const store = async (
    copy: Copy,
    body: Collector,
    call: Call,
    { moment, question }: Asked,
  ): Promise<void> => {
    const { id, host } = call;
    const whole = body.whole();
    const printed = { ...copy, print: whole instanceof Uint8Array ? fnv1a(whole) : undefined };
    const put = () => shelf.keep(printed, whole, body.size, id, moment, host.clock.now());
    const kept = await put().catch(async (error) => {
      if (!isQuotaExceeded(error)) throw error;
      const room = await shelf.limits.giveUpAQuarter();
      desk.evicted(room);
      if (room.entries === 0) throw error;
      return put();
    });
    if (!kept) return;
    desk.stats.stored++;
    told(call, { type: 'cache-stored', url: copy.url, bytes: body.size });
    // The caller has an older one.
    if (kept.isNews && question.isGiven) desk.updated(copy);
    desk.evicted(kept.evicted);
  };

  return (pipeline, response, call, asked) => {
    const { partition } = call;
    const { request } = asked;
    const { url } = request;
    // The browser sent the cookies of the user who was signed in then, which may be another one's.
    const isOther =
      !isOf(pipeline, partition) || (call.userChanges ?? pipeline.userChanges()) !== pipeline.userChanges();
    const least = leastSize(response);
    // A store that does not answer is not to fill the memory with what waits for it.
    if (patience.isLeftAlone(call.host)) return response;
    if (isOther) {
      desk.discarded('other-user', url);
      return response;
    }
    const tooLarge = (): void => {
      desk.discarded('too-large', url);
      // An older one is not what the origin gives now.
      call.waitUntil(outdate(desk, true, [url], call));
    };
    if (least > settings.maxEntryBytes) {
      tooLarge();
      return response;
    }
    // Taken now: whoever holds on to the response keeps it from being collected.
    const copy: Copy = {
      partition,
      url,
      requestedAt: asked.requestedAt,
      receivedAt: asked.receivedAt,
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
        else if (body.size < least) desk.discarded('incomplete', url);
        else if (waiting + body.size <= WAITING) {
          waiting += body.size;
          const kept = patience.writing('keep', call.host, async () => {
            await store(copy, body, call, asked).finally(() => {
              waiting -= body.size;
            });
          });
          return end(kept);
        }
        end();
      },
    });
  };
}

/** Pieces of this size are given to the platform, which keeps them outside the page's memory where it can. */
const PIECE = 262_144;

/** What is smaller is read and written faster as bytes; from about 64 KiB on engines make a blob of it themselves. */
const SMALL = 60_000;

/** Gathers a body as it is read: a small one as bytes, a large one as a blob, which is not in memory once more. */
class Collector {
  readonly #limit: number;
  readonly #pieces: Blob[] = [];
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #pending = 0;
  #size = 0;

  /** @param limit In bytes; what is larger is let go of. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  get isTooLarge(): boolean {
    return this.#size > this.#limit;
  }

  add(bytes: Uint8Array): void {
    this.#size += bytes.byteLength;
    if (this.isTooLarge) {
      this.#letGo();
      return;
    }
    // A copy: what the reader gets is the reader's, and a stream of bytes takes the memory away.
    this.#chunks.push(new Uint8Array(bytes));
    this.#pending += bytes.byteLength;
    if (this.#pending >= PIECE) this.#pack();
  }

  whole(): StoredBody {
    if (this.#size < SMALL) return concat(this.#chunks, this.#size);
    this.#pack();
    return new Blob(this.#pieces);
  }

  #pack(): void {
    this.#pieces.push(new Blob(this.#chunks));
    this.#chunks = [];
    this.#pending = 0;
  }

  #letGo(): void {
    this.#pieces.length = 0;
    this.#chunks = [];
    this.#pending = 0;
  }
}
