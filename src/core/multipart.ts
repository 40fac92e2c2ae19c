/**
 * A form as it goes over the wire (RFC 7578; HTML, "multipart/form-data encoding algorithm"). Files stay references, so
 * that a large form is not read into memory.
 *
 * @param contentType With the boundary that the parts are to have.
 * @returns `undefined` if `contentType` names none.
 */
export function multipart(form: FormData, contentType: string | null): Blob | undefined {
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)/i.exec(contentType ?? '')?.[1];
  if (boundary === undefined) return undefined;
  const parts: (string | Blob)[] = [];
  for (const [name, value] of form) {
    parts.push(`--${boundary}\r\nContent-Disposition: form-data; name="${escaped(newlines(name))}"`);
    if (typeof value === 'string') parts.push('\r\n\r\n', newlines(value));
    else
      parts.push(
        `; filename="${escaped(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}\r\n\r\n`,
        value,
      );
    parts.push('\r\n');
  }
  parts.push(`--${boundary}--\r\n`);
  return new Blob(parts, { type: contentType as string });
}

const newlines = (text: string): string => text.replace(/\r\n?|\n/g, '\r\n');

const escaped = (name: string): string => name.replace(/[\r\n"]/g, encodeURIComponent);
