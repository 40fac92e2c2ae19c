import type { Bytes } from '../../primitives/units.ts';
import { concat, gathered, type WatchedBody } from './body.ts';
import { createResponse, responseMetadata } from './response.ts';

/** Reads a body to its end, for its watchers. */
export async function drain(response: Response): Promise<void> {
  const reader = response.body?.getReader();
  while (reader && !(await reader.read()).done);
}

/**
 * Takes a body before anything is read from it, while `goesOn` says so. The rest of a longer one streams from there.
 *
 * @param body Of the response.
 * @param goesOn Called with the bytes so far.
 * @param whole Makes the response with all bytes.
 * @throws the error that broke the body.
 */
export async function buffered(
  response: Response,
  body: WatchedBody,
  goesOn: (length: number) => boolean,
  whole: WholeResponse,
): Promise<Response> {
  const chunks: Bytes[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await body.readWhole();
    if (done) return whole(response, gathered(chunks, length));
    chunks.push(value);
    length += value.byteLength;
    if (!goesOn(length))
      return createResponse(
        continued(gathered(chunks, length), body, response),
        responseMetadata(response),
        response.headers,
      );
  }
}

/** Makes a response that has these bytes; those of the given one were read. */
export type WholeResponse = (response: Response, bytes: Bytes) => Response;

/** A new response, which the platform can read, too. */
export const constructed: WholeResponse = (response, bytes) =>
  // As a stream, as it came: a body that a platform makes of bytes takes its own time to be read.
  createResponse(streamed(bytes), responseMetadata(response), response.headers);

/** A body of one chunk. */
export const streamed = (bytes: Bytes): ReadableStream<Bytes> =>
  new ReadableStream({
    start(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes);
      controller.close();
    },
  });

/** The bytes that were read from a body, and then the rest. */
function continued(begin: Bytes, body: WatchedBody, response: Response): ReadableStream<Bytes> {
  const source = {
    // Kept as long as this stream: a body whose response is collected is cancelled, which looks like its end.
    response,
    start: (controller: ReadableStreamDefaultController<Bytes>) => controller.enqueue(begin),
    async pull(controller: ReadableStreamDefaultController<Bytes>) {
      const { value } = await body.readWhole();
      if (value) controller.enqueue(value);
      else controller.close();
    },
    cancel: (reason: unknown) => body.cancel(reason),
  };
  return new ReadableStream<Bytes>(source, { highWaterMark: 0 });
}

/** A body of at most `limit` bytes; `undefined` if there is none, or it is longer. The rest is not read. */
export async function snapshotOf(response: Response, limit: number): Promise<Bytes | undefined> {
  const reader = response.body?.getReader();
  if (!reader) return undefined;
  return readUpTo(reader, limit);
}

/** Reads up to `limit` bytes; `undefined` if there are more. */
export async function readUpTo(
  reader: Pick<ReadableStreamDefaultReader<Uint8Array>, 'read' | 'cancel'>,
  limit: number,
): Promise<Bytes | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(chunks, length);
    chunks.push(value);
    length += value.byteLength;
    if (length > limit) {
      reader.cancel().catch(() => {});
      return undefined;
    }
  }
}
