/** A trace that is under way (W3C Trace Context, 3.2.2). */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the id of the caller's span. */
  readonly parentId: string;
  readonly sampled: boolean;
}

/**
 * Reads a `traceparent` header (W3C Trace Context, 3.2 and 4.1).
 *
 * @returns `undefined` for one that is malformed: the trace then begins anew (4.3).
 */
export function parseTraceparent(header: string | null | undefined): TraceContext | undefined {
  const [, version, traceId, parentId, flags, more] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(header?.trim() ?? '') ?? [];
  if (!version || !traceId || !parentId || !flags) return undefined;
  // Later versions may say more; this one says exactly this.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header (W3C Trace Context, 3.2.2), of version 00. */
export const formatTraceparent = ({ traceId, parentId, sampled }: TraceContext): string =>
  `00-${traceId}-${parentId}-${sampled ? '01' : '00'}`;

/** So many hexadecimal digits, not all of them 0. @param random In [0, 1). */
export function randomHex(digits: number, random: () => number): string {
  let hex = '';
  while (hex.length < digits)
    hex += Math.floor(random() * 0x1000000)
      .toString(16)
      .padStart(6, '0');
  const id = hex.slice(0, digits);
  return /^0+$/.test(id) ? `${'0'.repeat(digits - 1)}1` : id;
}
