import { blips } from './blips.ts';
import { everyday } from './everyday.ts';
import { flaky } from './flaky.ts';
import type { Row } from './row.ts';

export const rows: readonly Row[] = [...flaky, ...blips, ...everyday];
