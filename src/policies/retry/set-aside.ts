import { readUpTo } from '../../core/body.ts';
import { within } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import { facts, rebuilt } from '../../core/rebuild.ts';

/** More than this is not worth reading, in bytes. */
const SMALL = 64_000;

/** How long the rest of a small one may take when the wait is over, in ms. */
const GRACE = 100;

/** An answer in whose place another one is hoped for. */
export interface SetAside {
  /** Gives up what does not come. Then nobody holds on to it: a bulkhead has its place back. */
  end(): Promise<void>;
  /** The answer again; `undefined` where its body had not come by the end. */
  again(): Response | undefined;
}

/**
 * Reads an answer to its end while the next attempt waits: that keeps the connection, which giving up the body would
 * close, and the answer is there if nothing more can be sent.
 */
export function setAside(response: Response, call: Call): SetAside {
  let bytes: Uint8Array<ArrayBuffer> | null | undefined = response.body === null ? null : undefined;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let reading: Promise<unknown> = Promise.resolve();
  try {
    reader = response.body?.getReader();
  } catch {
    // Somebody else reads it.
  }
  if (reader)
    reading = readUpTo(reader, SMALL).then(
      (read) => {
        bytes = read;
      },
      () => {},
    );
  return {
    async end() {
      if (bytes !== undefined) return;
      await within(GRACE, call, reading).catch(() => {});
      if (bytes === undefined) reader?.cancel().catch(() => {});
    },
    again: () => (bytes === undefined ? undefined : rebuilt(bytes, facts(response), response.headers)),
  };
}
