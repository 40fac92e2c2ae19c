import { isFailure } from '../../primitives/failure.ts';

/** The name of a class; any other text may contain data. */
const NAME = /^[A-Z]\w{0,60}$/i;

/** `error.type`: our code, else the error's name; of low cardinality, and never its message. */
export function errorTypeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  try {
    if (isFailure(error)) return error.code;
    const isNamed = error instanceof Error || error instanceof DOMException;
    return isNamed && NAME.test(error.name) ? error.name : '_OTHER';
  } catch {
    // A getter or a proxy that throws.
    return '_OTHER';
  }
}
