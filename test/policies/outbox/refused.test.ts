/** Rejections by other policies: nothing was sent, and some say for how long. */
import { expect, test } from 'vitest';
import type { HoldfastEvent } from '../../../src/core/events.ts';
import { pipeline } from '../../../src/core/pipeline.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { rateLimit } from '../../../src/policies/rate-limit.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { ok, scriptedOrigin, status, testHost, virtualClock } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, POST, URL_ } from '../../support/outbox-page.ts';
import { quiet } from '../../support/platform.ts';

test.each([
  ['a minute, where backoffs are short', { backoffLimit: '10s' }, {}, 60],
  ['an hour', {}, { maxRetryAfter: '1h' }, 3_600],
] as const)(
  'a rejection that ends in %s delays the entry that long, without a busy loop',
  async (_, box, limit, seconds) => {
    const host = testHost({ clock: virtualClock({ quiet }) });
    const origin = scriptedOrigin(host.clock);
    const outbox = outboxPolicy({ store: durableStore(), pollInterval: '1h', ...box }, memoryStore);
    const events: HoldfastEvent[] = [];
    const fetch = pipeline([outbox, rateLimit(limit)], {
      partition: 'ann',
      host,
      fetch: origin.fetch,
      onEvent(event) {
        events.push(event);
        // A busy loop would not end.
        if (events.length > 1_000) host.connectivity.set(false);
      },
    });
    closeAfterTest(fetch);
    origin.replies(status(429, { 'retry-after': `${seconds}` }), ok());
    await (await fetch(URL_)).text();
    await fetch(URL_, POST);
    await host.clock.advance(1_000);
    expect(events.filter(({ type }) => type === 'postponed').length).toBeLessThan(5);
  },
);
