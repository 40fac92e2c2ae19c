/** An answer that means the origin, not the request, is in trouble: 408, and 5xx but 501 and 505. */
export const isOriginFailure = (status: number): boolean =>
  status === 408 || (status >= 500 && status !== 501 && status !== 505);

/** Worth keeping only while the origin says so: they save a request, but stand in for nothing. */
export const isBrief = (status: number): boolean => status === 204 || status === 404 || status === 410;
