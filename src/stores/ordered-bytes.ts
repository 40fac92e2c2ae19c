const utf8 = new TextEncoder();

/**
 * A key as bytes that sort as its UTF-16 code units do: UTF-8, but each half of a surrogate pair by itself (CESU-8). What
 * a key begins with, its bytes begin with, too.
 */
export function orderedBytes(key: string): Uint8Array<ArrayBuffer> {
  if (!/[\ud800-\udfff]/.test(key)) return utf8.encode(key) as Uint8Array<ArrayBuffer>;
  const bytes: number[] = [];
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at);
    if (unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return new Uint8Array(bytes);
}
