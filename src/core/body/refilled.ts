import type { Bytes } from '../../primitives/units.ts';
import { Body, type BodySource, type ReadResult } from './body.ts';
import { constructed, streamed, type WholeResponse } from './read-body.ts';
import { createResponse, responseMetadata } from './response.ts';
import { BODY, isOwned, usedBody, Watched, watch } from './watched-response.ts';

/**
 * A watched response with all its bytes put back after they were read. Only scripts can read it; `respondWith()` and `cache.put()` cannot,
 * but for its clones. It costs less than a new response. Watchers added from now on see the bytes again.
 */
export const refilled: WholeResponse = (response, bytes) => {
  // Its stream is read already, and the platform may read it.
  if (isOwned(response)) return constructed(response, bytes);
  const refilled: Refilled = Object.setPrototypeOf(response, Refilled.prototype);
  refilled[BODY] = new Body(new Chunk(bytes));
  return refilled;
};

/** A body of one chunk, which is kept until it is read. */
class Chunk implements BodySource {
  locked = false;
  left: Bytes | undefined;

  constructor(bytes: Bytes) {
    this.left = bytes;
  }

  getReader(): this {
    this.locked = true;
    return this;
  }

  read(): Promise<ReadResult> {
    const value = this.left;
    this.left = undefined;
    return Promise.resolve(value?.byteLength ? { done: false, value } : { done: true, value: undefined });
  }

  cancel(): Promise<void> {
    this.locked = true;
    this.left = undefined;
    return Promise.resolve();
  }
}

class Refilled extends Watched {
  override get bodyUsed(): boolean {
    return this[BODY].native.locked;
  }

  override clone(): Response {
    const { native, locked, state } = this[BODY];
    if (locked || native.locked) throw usedBody();
    // Each reader may detach the buffer of its chunk.
    const body = streamed(new Uint8Array((native as Chunk).left as Bytes));
    const copy = createResponse(body, responseMetadata(this), this.headers);
    watch(copy, copy.body as ReadableStream<Bytes>, state);
    return copy;
  }
}
