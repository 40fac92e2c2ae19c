import { expect, test } from 'vitest';
import type { OutboxSettings } from '../../../src/policies/outbox/options.ts';
import type { OutboxEntry } from '../../../src/policies/outbox/queue/entry.ts';
import { scheduleRetry } from '../../../src/policies/outbox/send/backoff.ts';
import { testHost } from '../../../src/testing.ts';

const HOUR = 3_600_000;
const settings = { backoffLimit: 900_000 } as OutboxSettings;
const silence = { is: 'retry', reason: { code: 'network' }, cost: 'unreachable' } as const;

test('an entry waits an hour even if the clock is set back in between', () => {
  const host = testHost();
  const entry = { attempts: 0, unreachableSince: host.clock.now() + 24 * HOUR } as OutboxEntry;
  const first = scheduleRetry(entry, silence, host, settings);
  expect([first.attempts, first.unreachableSince]).toEqual([0, host.clock.now()]);
  host.clock.jump(HOUR);
  expect(scheduleRetry({ ...entry, ...first }, silence, host, settings).attempts).toBe(1);
});
