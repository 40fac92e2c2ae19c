import { describe, expect, test } from 'vitest';
import type { Stage } from '../../../src/core/stage.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { wholeBody } from '../../../src/policies/retry/whole.ts';
import { totalTimeout } from '../../../src/policies/timeout.ts';
import { ok, stalledBody } from '../../../src/testing.ts';
import { ORIGIN, scenario } from '../../support/scenario.ts';

const waits: Stage = { name: 'waits', leave: (run) => () => run.wait(20).then(() => undefined) };

describe('a limit of an outer stage during the read of a whole body', () => {
  test.each<[string, NonNullable<Stage['leave']>, string]>([
    ['response', (run) => void Object.assign(run, { response: ok('instead') }), 'instead'],
    ['error', (run) => void Object.assign(run, { error: new Error('mapped') }), 'mapped'],
  ])('the %s that an outer stage has set stays', async (_, leave, expected) => {
    const replaces: Stage = { name: 'replaces', leave };
    const { fetch, origin } = scenario([
      waits,
      replaces,
      totalTimeout({ total: 1_000 }),
      retry({ until: wholeBody }),
    ]);
    origin.otherwise(() => stalledBody().response);
    const outcome = await fetch(`${ORIGIN}/x`).then(
      (response) => response.text(),
      (error) => error.message,
    );
    expect(outcome).toBe(expected);
    await fetch.close();
  });
});
