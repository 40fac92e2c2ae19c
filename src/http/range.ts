/** Part of a body: from its first byte to its last one. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The part that a `Range` field asks for: `bytes=0-9`, `bytes=10-`, `bytes=-5` (RFC 9110, 14.1.2).
 *
 * @param size Of the whole body, in bytes.
 * @returns `undefined` for several parts, another unit, a malformed field and a part that lies outside: the origin responds.
 */
export function byteRange(field: string, size: number): ByteRange | undefined {
  const [, from = '', to = ''] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(field) ?? [];
  if (from === '' && to === '') return undefined;
  const suffix = from === '';
  const first = suffix ? Math.max(0, size - Number(to)) : Number(from);
  const last = suffix || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  const isValid = first <= last && (suffix || to === '' || Number(from) <= Number(to));
  return isValid ? { first, last } : undefined;
}
