/** Large bodies, the same for the same size. */
function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = size | 1;
  for (let at = 0; at < words.length; at++) {
    // Xorshift: without a period that a buffer might have.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

const TYPE = 'application/octet-stream';

const fileOf = (size: number): File => new File([bytesOf(size)], 'large.bin', { type: TYPE });

export const bodies = {
  blob: (size: number): Blob => new Blob([bytesOf(size)], { type: TYPE }),
  form(size: number): FormData {
    const form = new FormData();
    form.append('file', fileOf(size));
    return form;
  },
};

export type Kind = keyof typeof bodies;

/** The expected arrival of such a body, in the origin's terms. @param type Its content type. */
export async function expected(kind: Kind, size: number, type: string): Promise<string> {
  const boundary = /boundary=([^;]*)/.exec(type)?.[1];
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\nContent-Type: ${TYPE}\r\n\r\n`;
  const parts = kind === 'form' ? [head, bytesOf(size), `\r\n--${boundary}--\r\n`] : [bytesOf(size)];
  const whole = new Blob(parts);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await whole.arrayBuffer()));
  const sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `200 ${JSON.stringify({ length: whole.size, sha256 })}`;
}
