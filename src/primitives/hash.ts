/** FNV-1a, 32 bits (Fowler, Noll, Vo): quick, and for nothing that has to be hard to forge. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

export const hashOf = (text: string): number => fnv1a(new TextEncoder().encode(text));
