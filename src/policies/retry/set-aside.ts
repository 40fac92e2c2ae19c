import { readUpTo } from '../../core/body/read-body.ts';
import { createResponse, responseMetadata } from '../../core/body/response.ts';
import { isBodiless, watchBody } from '../../core/body/watched-response.ts';
import type { Run } from '../../core/stage.ts';
import { DeadlineError } from '../../primitives/clock.ts';
import type { Bytes } from '../../primitives/units.ts';

/** More than this is not worth reading, in bytes. */
const SMALL = 64_000;

/** How long the rest of a small one may take when the wait for the retry is over, in ms. */
const GRACE = 100;

/** A response in whose place another one is hoped for. */
export interface SetAside {
  /** Waits a moment for what has not come. */
  read(run: Run): Promise<void>;
  /** Cancels what has not come: a bulkhead has its slot back. */
  drop(): void;
  /** The response again; `undefined` where its body had not come by the end. */
  again(): Response | undefined;
}

/**
 * Reads a response to its end while the next attempt waits: that keeps the connection, which a cancelled body would close, and
 * the response is there if nothing more can be sent.
 */
export function setAside(response: Response): SetAside {
  let bytes: Bytes | null | undefined = isBodiless(response) ? null : undefined;
  // A hook may have read it. Not through `response.body`: making that stream costs more than the read.
  const body = response.bodyUsed ? undefined : watchBody(response, {});
  let isDropped = false;
  const read = async (): Promise<void> => {
    if (!body) return;
    const whole = await readUpTo({ read: () => body.readWhole(), cancel: () => body.cancel() }, SMALL);
    // A body that was cancelled ends as if it were whole.
    if (!isDropped) bytes = whole;
  };
  // It may break.
  const reading = read().catch(() => {});
  return {
    read: (run) =>
      run.wait(GRACE, reading).catch((error) => {
        if (!(error instanceof DeadlineError)) throw error;
      }),
    drop() {
      isDropped = true;
      body?.cancel().catch(() => {});
    },
    again: () =>
      bytes === undefined ? undefined : createResponse(bytes, responseMetadata(response), response.headers),
  };
}
