import { isFailure } from '../../core/errors.ts';

/** `error.type`: our code, else the error's name; of low cardinality, and never its message. */
export function errorTypeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  if (isFailure(error)) return error.code;
  return error instanceof Error || error instanceof DOMException ? error.name : '_OTHER';
}
