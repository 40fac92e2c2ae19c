/** Methods that may be repeated (RFC 9110, 9.2.2; QUERY: draft-ietf-httpbis-safe-method-w-body). */
export const IDEMPOTENT_METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
  'QUERY',
];

/** The header under which an origin recognises a repetition (draft-ietf-httpapi-idempotency-key-header-07). */
export const IDEMPOTENCY_KEY = 'idempotency-key';

/** Methods that change nothing (RFC 9110, section 9.2.1). */
export const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

/** Every other method may change something. QUERY: draft-ietf-httpbis-safe-method-w-body. */
export const isSafe = (method: string): boolean => SAFE_METHODS.includes(method) || method === 'QUERY';

/** 52 bits or so of chance, as text. */
export const chance = (random: () => number): string => random().toString(36).slice(2, 13);

/** A unique key: a string of a structured field (RFC 9651), as the draft above wants it. */
export const newKey = (random: () => number): string => `"${chance(random)}${chance(random)}"`;
