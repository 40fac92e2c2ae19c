import { type FaultName, faultOf, faults } from './faults.ts';
import { type PolicySetName, policySets } from './policies.ts';
import { type Case, methods, spans } from './row.ts';

type Factors = Readonly<Record<string, readonly string[]>>;

const factors = {
  fault: Object.keys(faults) as FaultName[],
  policies: Object.keys(policySets) as PolicySetName[],
  method: methods,
  span: spans,
} satisfies Factors;

/** A fault that does not pass, and one policy or method in the first request only: that cannot be. */
const isPossible = (pair: Partial<Case>): boolean =>
  pair.fault === undefined || pair.span === undefined || pair.span === 'every' || faultOf(pair.fault).passes;

/** The pairs that no case has: any two of fault, policies, method and frequency. */
export function missingPairs(cases: readonly Case[]): string[] {
  const names = Object.keys(factors) as (keyof typeof factors)[];
  return names.flatMap((one, index) =>
    names.slice(index + 1).flatMap((two) =>
      factors[one]
        .flatMap((a) => factors[two].map((b) => ({ [one]: a, [two]: b }) as Partial<Case>))
        .filter(isPossible)
        .filter((pair) => !cases.some((each) => each[one] === pair[one] && each[two] === pair[two]))
        .map((pair) => Object.values(pair).join(' with ')),
    ),
  );
}
