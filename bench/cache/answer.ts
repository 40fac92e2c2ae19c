/** What the origin says with every body, and what every contestant keeps with it. */
export const HEADERS: readonly (readonly [string, string])[] = [
  ['content-type', 'application/octet-stream'],
  ['cache-control', 'max-age=86400'],
  ['etag', '"5e8a3f1c"'],
  ['last-modified', 'Fri, 20 Nov 2026 08:00:00 GMT'],
  ['x-request-id', '0f0c4b6e-8d0f-4a54-9a63-2c8e1a7d3b11'],
];

/** Where a body of so many bytes is; the number makes one of many of it. */
export const kept = (bytes: number, number: number): string => `/kept?bytes=${bytes}&number=${number}`;

/** The same in chunks, as an origin sends what it is still making. */
export const streamed = (bytes: number, number: number): string =>
  `/streamed?bytes=${bytes}&number=${number}`;
