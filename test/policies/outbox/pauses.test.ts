import { describe, expect, test } from 'vitest';
import { ok, status } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, giveOffline, sent } from '../../support/outbox-writes.ts';

describe('resume', () => {
  test('resume without a lane resumes all paused lanes', async () => {
    const here = page();
    await here.outbox.pause({ lane: 'a' });
    await give(here, '1', { lane: 'a' });
    await here.outbox.resume();
    await settle();
    expect(sent(here)).toEqual(['1']);
  });

  test('resume does not wait for all deliveries', async () => {
    const here = page();
    await here.outbox.pause();
    await give(here, 'a');
    const first = deferred<Response>(here);
    here.origin.replies(first.work);
    let resumed = false;
    const resuming = here.outbox.resume().then(() => {
      resumed = true;
    });
    await settle();
    const was = resumed;
    first.resolve(ok());
    await resuming;
    expect(was).toBe(true);
  });
});

test('a lane sends by itself after its blocking dead letter is removed', async () => {
  const here = page({ blockLaneOnFailure: true });
  await giveOffline(here, { body: 'a', id: 'a' }, { body: 'b', id: 'b' });
  here.origin.replies(status(422));
  here.host.connectivity.set(true);
  await settle();
  await here.outbox.remove('a');
  await settle();
  expect(sent(here)).toEqual(['a', 'b']);
});

test('an outbox that was retired for a moment, as at the start of a worker, respects the backoff', async () => {
  const here = page();
  here.origin.replies(status(503));
  await give(here, 'a');
  here.outbox.retire(true);
  await here.clock.advance(60_000);
  expect(sent(here)).toEqual(['a']);
  here.outbox.retire(false);
  await settle();
  expect(sent(here)).toEqual(['a', 'a']);
  here.origin.replies(status(503));
  await give(here, 'b', { lane: 'b' });
  here.outbox.retire(true);
  here.outbox.retire(false);
  await settle();
  expect(sent(here)).toEqual(['a', 'a', 'b']);
});
