import type { Bytes } from '../../primitives/units.ts';
import { Body, type BodySource, type ReadResult } from './body.ts';
import { streamed } from './read-body.ts';
import { createResponse, responseMetadata } from './response.ts';
import { BODY, usedBody, Watched, watch } from './watched-response.ts';

/**
 * Puts all bytes of a watched response back after they were read, for scripts; that takes less than a new response. The platform can
 * read its clones, and not the response itself (`respondWith()`, `cache.put()`). Watchers that come now see the bytes again.
 */
export function refilled(response: Response, bytes: Bytes): Response {
  const refilled: Refilled = Object.setPrototypeOf(response, Refilled.prototype);
  refilled[BODY] = new Body(new Whole(bytes));
  refilled[BYTES] = bytes;
  return refilled;
}

const BYTES = Symbol('holdfast.bytes');

/** Bytes that are read as one chunk. */
class Whole implements BodySource {
  locked = false;
  #left: Bytes | undefined;

  constructor(bytes: Bytes) {
    this.#left = bytes;
  }

  getReader(): this {
    this.locked = true;
    return this;
  }

  read(): Promise<ReadResult> {
    const value = this.#left;
    this.#left = undefined;
    return Promise.resolve(value?.byteLength ? { done: false, value } : { done: true, value: undefined });
  }

  cancel(): Promise<void> {
    this.locked = true;
    this.#left = undefined;
    return Promise.resolve();
  }
}

class Refilled extends Watched {
  declare [BYTES]: Bytes;

  override get bodyUsed(): boolean {
    return this[BODY].native.locked;
  }

  override clone(): Response {
    if (this.bodyUsed || this[BODY].locked) throw usedBody();
    // Each reader may detach the buffer of its chunk.
    const body = streamed(new Uint8Array(this[BYTES]));
    const copy = createResponse(body, responseMetadata(this), this.headers);
    watch(copy, copy.body as ReadableStream<Bytes>, this[BODY].state);
    return copy;
  }
}
