/** A server's description of a failure (RFC 9457, "Problem Details for HTTP APIs"); extension members as they came. */
export interface ProblemDetails {
  /** A URI reference that names the kind of problem. Default `'about:blank'`. */
  readonly type: string;
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  readonly instance?: string;
  readonly [extension: string]: unknown;
}

export const PROBLEM_JSON = 'application/problem+json';

/** RFC 9457, 3.1: a member of another type than it should have is ignored. */
const TYPES: Readonly<Record<string, string>> = {
  type: 'string',
  title: 'string',
  status: 'number',
  detail: 'string',
  instance: 'string',
};

/** @returns `undefined` if it is not an object. */
export function problemFrom(value: unknown): ProblemDetails | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const members = Object.entries(value).filter(
    ([name, member]) => !Object.hasOwn(TYPES, name) || typeof member === TYPES[name],
  );
  return { type: 'about:blank', ...Object.fromEntries(members) };
}

/** Whether the content type of a response is that of a problem. */
export const isProblem = (response: Response): boolean =>
  response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() === PROBLEM_JSON;
