import { expect, test } from 'vitest';
import { named } from '../../src/core/contract.ts';
import { type Stage, stage } from '../../src/core/stage.ts';
import { hang, networkError } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

/** Repeats everything inside it, once. */
const once = (): Stage => {
  let left = 1;
  return named(
    'once',
    stage({
      leave: () => {
        if (left-- > 0) return async () => 'repeat';
      },
    }),
  );
};

test('run.isSent is false for a repetition that a stage rejects before it is sent', async () => {
  const seen: boolean[] = [];
  const watch = stage({ leave: (run) => void seen.push(run.isSent) });
  let passages = 0;
  const gate = stage({
    enter() {
      if (++passages > 1) throw new Error('full');
    },
  });
  const { fetch, origin } = scenario([once(), named('watch', watch), named('gate', gate)]);
  origin.replies(networkError());
  await expect(fetch(ORIGIN)).rejects.toThrow('full');
  expect(seen).toEqual([true, false]);
});

test('a stage inside a limit that has passed does not repeat', async () => {
  const limited = stage({ enter: (run) => run.limit(10, () => new Error('late')) });
  const { fetch, origin } = scenario([named('limited', limited), once()]);
  origin.replies(hang());
  await expect(fetch(ORIGIN)).rejects.toThrow('late');
  expect(origin.seen).toHaveLength(1);
});
