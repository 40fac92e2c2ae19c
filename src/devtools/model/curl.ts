import type { CallRecord } from './call-record.ts';

/** A call as a command line. Secrets are redacted in the record, so they are not in here. */
export function curlOf({ method, url, request = [] }: CallRecord): string {
  const isBodyKnown = method === 'GET' || method === 'HEAD';
  return [
    `curl -X ${quoted(method)} ${quoted(url)}`,
    ...request.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(isBodyKnown ? [] : [`--data ${quoted('…')}`]),
  ].join(' \\\n  ');
}

/** For a POSIX shell: nothing has a meaning between single quotes. */
const quoted = (text: string): string =>
  // Control characters could speak to the terminal.
  `'${[...text]
    .filter((each) => each >= ' ' && each !== '\u007f')
    .join('')
    .replaceAll("'", `'\\''`)}'`;
