import { describe, expect, test } from 'vitest';
import { type SendFacts, sentenceOf, whyNotSent, whyServed } from '../../src/devtools/model/why.ts';

describe('why a call got a cached response', () => {
  const online = { wasSent: false, reachability: 'online' } as const;

  test.each([
    ['network', 'network', 'The origin could not be reached (network).'],
    [503, 'status 503', 'The origin responded with status 503.'],
    [{ code: 'timeout-attempt' }, 'timeout-attempt', 'The origin did not respond in time (timeout-attempt).'],
    [
      { code: 'circuit-open' },
      'circuit-open',
      'The circuit of the origin is open: nothing was sent (circuit-open).',
    ],
    ['silence', 'silence', 'The origin was silent for longer than respondAfter (silence).'],
    [new TypeError('secret'), 'TypeError', 'It failed: TypeError.'],
  ])('the cause %s is a sentence', (cause, is, why) => {
    expect(whyServed({ ...online, source: 'stale', cause })).toEqual({ is, why });
  });

  test('a network error of a browser that is offline is said to be that', () => {
    const offline = { wasSent: false, reachability: 'offline', source: 'cache' } as const;
    expect(whyServed({ ...offline, cause: { code: 'network' } }).why).toContain('The browser is offline');
    expect(whyServed({ ...offline, cause: 503 }).is).toBe('status 503');
    expect(whyServed({ ...offline, reachability: 'captive', cause: 'network' }).why).toContain('login page');
  });

  test('without a failure it is fresh, confirmed, or served by its mode', () => {
    expect(whyServed({ ...online, source: 'cache' }).is).toBe('fresh');
    expect(whyServed({ ...online, source: 'cache', wasSent: true }).is).toBe('confirmed');
    expect(whyServed({ ...online, source: 'stale' }).is).toBe('by its mode');
  });
});

describe('why an entry was not sent', () => {
  const facts: SendFacts = {
    isSending: false,
    reachability: 'online',
    needsUpdate: false,
    paused: undefined,
    isLanePaused: false,
    stoppedBy: undefined,
    ahead: undefined,
    now: 1_000,
  };
  const due = { state: 'waiting', notBefore: 0 } as const;
  const later = { ...due, notBefore: 5_000, reason: { code: 'http', status: 429 } } as const;
  const ahead = { name: 'POST /orders (a)', why: 'It is sent next.' };

  test.each<[is: string, why: string, facts: Partial<SendFacts>]>([
    ['sending', 'It is on the wire.', { isSending: true, reachability: 'offline' }],
    ['reload needed', 'newer version of the application', { needsUpdate: true, reachability: 'offline' }],
    ['offline', 'The browser is offline', { reachability: 'offline', paused: 'credentials' }],
    ['paused', 'refused the credentials (status 401)', { paused: 'credentials' }],
    ['paused', 'The outbox is paused', { paused: 'application', isLanePaused: true }],
    ['lane stopped', 'The dead letter a stops the lane', { stoppedBy: 'a', ahead }],
    ['lane paused', 'The lane is paused', { isLanePaused: true, ahead }],
    ['behind another', 'POST /orders (a) is sent first. It is sent next.', { ahead }],
    ['waiting', 'It is sent next.', {}],
  ])('%s: %s', (is, why, given) => {
    const held = whyNotSent(due, { ...facts, ...given });
    expect(held.is).toBe(is);
    expect(held.why).toContain(why);
  });

  test('an entry that waits for its next attempt has the reason of the last one', () => {
    expect(whyNotSent(later, facts)).toEqual({
      is: 'next try',
      why: 'The origin responded with status 429.',
    });
    expect(whyNotSent({ ...later, fromRetryAfter: true }, facts).why).toBe(
      'The origin responded with status 429. It asked to wait (Retry-After).',
    );
  });

  test('a dead letter has its reason, whatever holds for the outbox', () => {
    const dead = { state: 'dead-letter', notBefore: 0 } as const;
    const offline: SendFacts = { ...facts, reachability: 'offline' };
    expect(whyNotSent({ ...dead, reason: { code: 'http', status: 422 } }, offline)).toEqual({
      is: 'dead letter',
      why: 'The origin refused it with status 422. It is not sent again unless you replay it.',
    });
    expect(whyNotSent({ ...dead, reason: { code: 'attempts', status: 503 } }, facts).why).toBe(
      'All attempts have failed (attempts). The origin responded with status 503. It is not sent again unless you replay it.',
    );
    expect(whyNotSent(dead, facts).why).toContain('It was given up.');
  });
});

test('a sentence has the code, and never the message', () => {
  expect(sentenceOf({ code: 'from-the-future', message: 'secret' })).toBe('It failed: from-the-future.');
});
