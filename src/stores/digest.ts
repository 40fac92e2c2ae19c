const utf8 = new TextEncoder();

/** SHA-256 of a text or of bytes, in hexadecimal digits. */
export async function digestOf(of: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof of === 'string' ? (utf8.encode(of) as Uint8Array<ArrayBuffer>) : of;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
