/** Compiled, and never run: what a call may say of its write. */
import type { CallOutbox } from 'holdfast';

const said: readonly CallOutbox[] = [
  {},
  { lane: 'a', meta: { of: 'mine' }, blockLaneOnFailure: true },
  { coalesce: { key: 'draft' } },
  { coalesce: { key: 'draft', merge: 'replace' } },
  { coalesce: { key: 'draft', merge: (_, later) => later } },
  // @ts-expect-error: nothing would ever be merged
  { coalesce: { merge: 'replace' } },
  // @ts-expect-error: no such option
  { keys: 'draft' },
];
void said;
