import { readUpTo } from '../../core/body.ts';
import { facts, rebuilt } from '../../core/rebuild.ts';

/** More than this is not worth reading, in bytes. */
const SMALL = 64_000;

/** An answer in whose place another one is hoped for. */
export interface SetAside {
  /** Gives up what has not come. */
  end(): void;
  /** The answer again; `undefined` where its body had not come by the end. */
  again(): Response | undefined;
}

/**
 * Reads an answer to its end while the next attempt waits: that keeps the connection, which giving up the body would
 * close, and the answer is there if nothing more can be sent.
 */
export function setAside(response: Response): SetAside {
  let bytes: Uint8Array<ArrayBuffer> | null | undefined = response.body === null ? null : undefined;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    reader = response.body?.getReader();
  } catch {
    // Somebody else reads it.
  }
  if (reader)
    readUpTo(reader, SMALL).then(
      (read) => {
        bytes = read;
      },
      () => {},
    );
  return {
    end() {
      if (bytes === undefined) reader?.cancel().catch(() => {});
    },
    again: () => (bytes === undefined ? undefined : rebuilt(bytes, facts(response), response.headers)),
  };
}
