import type { IncomingMessage } from 'node:http';
import type { HeaderLine } from './behaviour.ts';
import type { Manner } from './script.ts';

// With credentials "*" is a name like any other, so what tests look at is listed as well.
const exposed = [
  '*',
  'Age',
  'Cache-Control',
  'Content-Length',
  'Date',
  'ETag',
  'Idempotency-Key',
  'Idempotency-Replayed',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Vary',
  'WWW-Authenticate',
  'X-Request-Id',
];

export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

/** Headers that let a page of any origin, with credentials or without, see the response. */
export function corsHeaders(
  { headers: { origin } }: IncomingMessage,
  { cors = true, expose = true }: Manner,
  present: readonly string[],
): HeaderLine[] {
  if (!cors) return [];
  // The page's origin rather than "*", which does not go with credentials.
  const lines: HeaderLine[] =
    origin === undefined
      ? [['Access-Control-Allow-Origin', '*']]
      : [
          ['Access-Control-Allow-Origin', origin],
          ['Access-Control-Allow-Credentials', 'true'],
          ['Vary', 'Origin'],
        ];
  if (!expose) return lines;
  const known = new Set(exposed.map((name) => name.toLowerCase()));
  const further = present.filter((name) => !known.has(name) && !name.startsWith('access-control-'));
  return [...lines, ['Access-Control-Expose-Headers', [...exposed, ...further].join(', ')]];
}

/** The headers of a preflight's response beside `corsHeaders`: they allow everything, and are not cached. */
export function preflightHeaders(
  { headers }: IncomingMessage,
  { cors = true, allowHeaders = headers['access-control-request-headers'] }: Manner,
): Record<string, string> {
  if (!cors) return {};
  return {
    'Access-Control-Allow-Methods': headers['access-control-request-method'] ?? '*',
    ...(allowHeaders !== undefined && { 'Access-Control-Allow-Headers': allowHeaders }),
    // Chromium asks this before a public page may talk to a private address.
    ...(headers['access-control-request-private-network'] && {
      'Access-Control-Allow-Private-Network': 'true',
    }),
    'Access-Control-Max-Age': '0',
  };
}
