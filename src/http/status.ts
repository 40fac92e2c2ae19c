/** Statuses of a failing origin, not of a wrong request: 408, and 5xx but 501 and 505. */
export const isOriginFailure = (status: number): boolean =>
  status === 408 || (status >= 500 && status !== 501 && status !== 505);

/** A stored response of these may stand in for a failing origin. One of another status is used only while it is fresh. */
export const standsIn = (status: number): boolean => [200, 203, 300, 301, 308].includes(status);

/** RFC 9110, 15.1: freshness may be heuristic. 206 is not stored. */
export const isHeuristicallyCacheable = (status: number): boolean =>
  standsIn(status) || [204, 404, 405, 410, 414, 501].includes(status);

/** RFC 9111, 5.2.2.3: a cache may store such a response only if it implements the status's rules for caches. */
export const isUnderstood = (status: number): boolean =>
  isHeuristicallyCacheable(status) ||
  [302, 303, 307, 400, 401, 403, 406, 409, 415, 422, 429, 500, 502, 503, 504].includes(status);

/** Fetch, "redirect status". */
export const isRedirectStatus = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);
