import { blips } from './blips.ts';
import { everyday } from './everyday.ts';
import { flaky } from './flaky.ts';
import type { Row } from './row.ts';

const all: readonly Row[] = [...flaky, ...blips, ...everyday];

/** Group by group. */
export const rows: readonly Row[] = [...new Set(all.map(({ group }) => group))].flatMap((group) =>
  all.filter((row) => row.group === group),
);
