/** Compiled, and never run: what a call may say of its write. */
import type { CallOutbox } from 'holdfast';

const said: readonly CallOutbox[] = [
  {},
  { lane: 'a', meta: { of: 'mine' }, strict: true },
  { key: 'draft' },
  { key: 'draft', merge: 'replace' },
  { key: 'draft', merge: (_, later) => later },
  // @ts-expect-error: nothing would ever be merged
  { merge: 'replace' },
  // @ts-expect-error: no such option
  { keys: 'draft' },
];
void said;
