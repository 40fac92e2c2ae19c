/** An answer that means the origin, not the request, is in trouble: 408, and 5xx but 501 and 505. */
export const isOriginFailure = (status: number): boolean =>
  status === 408 || (status >= 500 && status !== 501 && status !== 505);
