import { expect, test } from 'vitest';
import type { OutboxEntry } from '../../src/policies/outbox/entry.ts';
import type { OutboxSettings } from '../../src/policies/outbox/options.ts';
import { scheduled } from '../../src/policies/outbox/schedule.ts';
import { testHost } from '../../src/testing/index.ts';

const HOUR = 3_600_000;
const settings = { backoffLimit: 900_000 } as OutboxSettings;
const silence = { is: 'again', reason: { code: 'network' }, cost: 'silence' } as const;

test('an hour of silence is an hour also where the clock was set back in between', () => {
  const host = testHost();
  const entry = { attempts: 0, silentSince: host.clock.now() + 24 * HOUR } as OutboxEntry;
  const first = scheduled(entry, silence, host, settings);
  expect([first.attempts, first.silentSince]).toEqual([0, host.clock.now()]);
  host.clock.jump(HOUR);
  expect(scheduled({ ...entry, ...first }, silence, host, settings).attempts).toBe(1);
});
