export type { ProblemDetails } from './http/problem.ts';
export { type ProblemResponseOptions, problemOf, toProblemResponse } from './observability/problem.ts';
