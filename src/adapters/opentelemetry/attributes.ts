import type { EventOf } from '../../core/events.ts';
import { redactUrl } from '../../observability/log/redact.ts';
import { isFailure } from '../../primitives/failure.ts';

export type Attributes = Record<string, string | number | boolean>;

/** Methods that are named; any other one is `_OTHER` (HTTP semantic conventions, `http.request.method`). */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'];

export const methodOf = (method: string): Attributes =>
  METHODS.includes(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': '_OTHER', 'http.request.method_original': method };

/** `server.address`, `server.port`, `url.scheme`. */
export function serverOf(origin: string): Attributes {
  if (!URL.canParse(origin)) return {};
  const { hostname, port, protocol } = new URL(origin);
  const scheme = protocol.slice(0, -1);
  return {
    'server.address': hostname,
    'server.port': port === '' ? (scheme === 'https' ? 443 : 80) : Number(port),
    'url.scheme': scheme,
  };
}

/** `url.full`, without personal data. */
export const urlOf = (url: string): Attributes => ({ 'url.full': redactUrl(url) });

/** A code, or the name of a class; any other text may contain data. */
const NAME = /^[A-Z][\w-]{0,60}$/i;

/**
 * The outcome of an attempt or a call. A status is an error from 400 on, as the conventions say for clients.
 *
 * @param error In place of a response: the code of a `HoldfastError`, or the name of the platform's error.
 */
export function outcomeAttributes(status: number | undefined, error: string | undefined): Attributes {
  const failed = status !== undefined && status >= 400 ? String(status) : undefined;
  const type = error === undefined ? failed : NAME.test(error) ? error : '_OTHER';
  return {
    ...(status !== undefined && { 'http.response.status_code': status }),
    ...(type !== undefined && { 'error.type': type }),
  };
}

/** Our own names, where the conventions have none. */
export const prefixed = ({
  operation,
  source,
}: Pick<EventOf<'call-ended'>, 'operation' | 'source'>): Attributes => ({
  ...(operation !== undefined && { 'holdfast.operation': operation }),
  ...(source !== undefined && { 'holdfast.source': source }),
});

/** `error.type`: our code, else the error's name; of low cardinality, and never its message. */
export function errorTypeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  try {
    if (isFailure(error)) return error.code;
    const isNamed = error instanceof Error || error instanceof DOMException;
    return isNamed ? String(error.name) : '_OTHER';
  } catch {
    // A getter or a proxy that throws.
    return '_OTHER';
  }
}
