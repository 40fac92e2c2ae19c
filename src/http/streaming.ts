/**
 * Types whose bodies have pauses by design: event streams (HTML), NDJSON, JSON text sequences (RFC 7464),
 * `multipart/x-mixed-replace`.
 */
const STREAMING =
  /^\s*(?:text\/event-stream|application\/(?:(?:x-)?(?:ndjson|jsonl|json-?lines)|json-seq)|multipart\/x-mixed-replace)\s*(?:;|$)/i;

export const isStreaming = (contentType: string | null): boolean =>
  contentType !== null && STREAMING.test(contentType);
