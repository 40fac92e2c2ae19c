import { readUpTo } from '../../core/body/read-body.ts';
import { createResponse, responseMetadata } from '../../core/body/response.ts';
import type { Run } from '../../core/stage.ts';
import { DeadlineError } from '../../primitives/clock.ts';

/** More than this is not worth reading, in bytes. */
const SMALL = 64_000;

/** How long the rest of a small one may take when the wait is over, in ms. */
const GRACE = 100;

/** A response in whose place another one is hoped for. */
export interface SetAside {
  /** Waits a moment for the rest, and cancels what does not come: a bulkhead has its slot back. */
  end(run: Run): Promise<void>;
  /** Cancels what has not come. */
  drop(): void;
  /** The response again; `undefined` where its body had not come by the end. */
  again(): Response | undefined;
}

/**
 * Reads a response to its end while the next attempt waits: that keeps the connection, which a cancelled body would close, and
 * the response is there if nothing more can be sent.
 */
export function setAside(response: Response): SetAside {
  let bytes: Uint8Array<ArrayBuffer> | null | undefined = response.body === null ? null : undefined;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let reading: Promise<unknown> = Promise.resolve();
  try {
    reader = response.body?.getReader();
  } catch {
    // Another reader has it.
  }
  if (reader)
    reading = readUpTo(reader, SMALL).then(
      (read) => {
        bytes = read;
      },
      () => {},
    );
  const drop = (): void => {
    if (bytes === undefined) reader?.cancel().catch(() => {});
  };
  return {
    async end(run) {
      if (bytes === undefined)
        await run.wait(GRACE, reading).catch((error) => {
          if (!(error instanceof DeadlineError)) throw error;
        });
      drop();
    },
    drop,
    again: () =>
      bytes === undefined ? undefined : createResponse(bytes, responseMetadata(response), response.headers),
  };
}
