import { describe, expect, test } from 'vitest';
import type { HoldfastEvent } from '../../src/core/events.ts';
import { type CallRecord, curlOf, passes } from '../../src/devtools/model/call-record.ts';
import { lineOf, Model } from '../../src/devtools/model/model.ts';
import { Ring } from '../../src/devtools/model/ring.ts';
import { durationText, failureText, shownHeaders, shownUrl } from '../../src/devtools/model/words.ts';

const ORIGIN = 'https://api.example.com';
const of = { callId: 'a-1', origin: ORIGIN };

/** A model that has received these events, one ms apart. */
function heard(...events: object[]): Model {
  const model = new Model(10);
  for (const [ms, event] of events.entries()) model.receive(event as HoldfastEvent, 1_000 + ms);
  return model;
}

const started = { type: 'call-started', ...of, method: 'GET', url: `${ORIGIN}/orders?page=2`, at: 1_000 };
const ended = (more: object): object => ({
  type: 'call-ended',
  ...of,
  method: 'GET',
  at: 1_000,
  duration: 5,
  attempts: [],
  ...more,
});

const only = (model: Model): CallRecord => model.calls.ring.at(0) as CallRecord;

describe('calls', () => {
  test('a call with a retry has attempts and the wait between them', () => {
    const call = only(
      heard(
        started,
        { type: 'attempt-started', ...of, attempt: 1, at: 1_001 },
        { type: 'attempt-ended', ...of, attempt: 1, startedAt: 1_001, duration: 20, status: 503 },
        { type: 'retry', ...of, attempt: 2, delay: 300, cause: 503 },
        { type: 'attempt-started', ...of, attempt: 2, at: 1_330 },
        { type: 'attempt-ended', ...of, attempt: 2, startedAt: 1_330, duration: 10, status: 200 },
        ended({ status: 200, source: 'network', duration: 340 }),
      ),
    );
    expect(call.steps.map(({ kind, text, ms }) => [kind, text, ms])).toEqual([
      ['attempt', 'status 503', 20],
      ['wait', 'retry in 300 ms, after status 503', 327],
      ['attempt', 'status 200', 10],
    ]);
    expect(call.end).toEqual({ ms: 340, text: '200', tone: 'good', status: 200, source: 'network' });
  });

  test('a cached response says how old it is and why it was served', () => {
    const call = only(
      heard(
        started,
        { type: 'cache-served', ...of, url: `${ORIGIN}/orders`, source: 'stale', age: 90, cause: 503 },
        ended({ status: 200, source: 'stale' }),
      ),
    );
    expect(call.served).toEqual({
      age: 90,
      is: 'status 503',
      why: 'The origin responded with status 503.',
    });
    expect(call.end?.tone).toBe('stale');
  });

  test('an attempt that is under way when the call ends was abandoned', () => {
    const call = only(
      heard(
        started,
        { type: 'attempt-started', ...of, attempt: 1, at: 1_001 },
        ended({ error: new DOMException('', 'AbortError') }),
      ),
    );
    expect(call.steps[0]?.text).toBe('abandoned');
    expect(call.end?.text).toBe('AbortError');
  });

  test('a sending of the outbox ends with what became of the entry', () => {
    const entry = { id: 'e-1', origin: ORIGIN, lane: 'orders' };
    const model = heard(
      { type: 'sending', ...entry, attempt: 1, callId: 'a-9' },
      { type: 'attempt-started', callId: 'a-9', origin: ORIGIN, attempt: 1, at: 1_001 },
      {
        type: 'attempt-ended',
        callId: 'a-9',
        origin: ORIGIN,
        attempt: 1,
        startedAt: 1_001,
        duration: 2,
        status: 201,
      },
      { type: 'delivered', ...entry, status: 201 },
    );
    expect(only(model)).toMatchObject({
      kind: 'sending',
      entry: 'e-1',
      end: { text: 'delivered', tone: 'good' },
    });
    expect(model.queue.lanes.get('orders')).toMatchObject({ delivered: 1 });
    expect(model.queue.sending.size).toBe(0);
  });

  test('a sending that was refused before it was sent has the method and URL of the write', () => {
    const entry = { id: 'e-1', origin: ORIGIN, lane: 'orders' };
    const call = heard(
      { ...started, method: 'POST', url: `${ORIGIN}/orders?token=hunter2` },
      { type: 'queued', ...of, ...entry },
      { type: 'sending', ...entry, attempt: 1, callId: 'a-9' },
      { type: 'refused', callId: 'a-9', origin: ORIGIN, code: 'circuit-open' },
    ).calls.ring.at(0);
    expect([call?.kind, call?.method, call?.url]).toEqual(['sending', 'POST', `${ORIGIN}/orders?token=…`]);
  });

  test('a sending of a write that this page did not see has its lane, until the write is known', () => {
    const { calls } = heard(
      { type: 'sending', id: 'e-1', origin: ORIGIN, lane: 'orders', attempt: 1, callId: 'a-8' },
      { type: 'sending', id: 'e-2', origin: ORIGIN, lane: ORIGIN, attempt: 1, callId: 'a-9' },
    );
    expect(calls.get('a-8')).toMatchObject({ method: 'OUTBOX', url: 'api.example.com, lane orders' });
    expect(calls.get('a-9')).toMatchObject({ method: 'OUTBOX', url: 'api.example.com, entry e-2' });
    calls.know('e-1', { method: 'PUT', url: `${ORIGIN}/orders/7` });
    expect(calls.get('a-8')).toMatchObject({ method: 'PUT', url: `${ORIGIN}/orders/7`, version: 1 });
  });

  test('a call without a `call-started` is work in the background', () => {
    const model = heard({ type: 'cache-revalidated', ...of, url: `${ORIGIN}/orders`, changed: true });
    expect(only(model)).toMatchObject({ kind: 'background', url: `${ORIGIN}/orders` });
  });

  test('so many calls are kept, and so many steps of a call', () => {
    const model = new Model(10);
    for (let nth = 0; nth < 500; nth++)
      model.receive({ ...started, callId: `call-${nth}` } as HoldfastEvent, nth);
    expect(model.calls.ring.length).toBe(10);
    expect(model.calls.get('call-0')).toBeUndefined();
    for (let nth = 0; nth < 500; nth++)
      model.receive({ type: 'timeout', callId: 'call-499', origin: ORIGIN, limit: 'attempt', ms: 5 }, nth);
    expect(only(model).steps).toHaveLength(100);
    expect(only(model).dropped).toBe(400);
  });

  test('a call is found by URL, status and source', () => {
    const call = only(heard(started, ended({ status: 404, source: 'network' })));
    const filter = { text: '', status: '', source: '' };
    expect(passes(call, filter)).toBe(true);
    expect(passes(call, { ...filter, text: 'ORDERS' })).toBe(true);
    expect(passes(call, { ...filter, text: 'users' })).toBe(false);
    expect(passes(call, { ...filter, status: '4' })).toBe(true);
    expect(passes(call, { ...filter, status: 'error' })).toBe(false);
    expect(passes(call, { ...filter, source: 'cache' })).toBe(false);
  });
});

describe('circuits', () => {
  test('an open circuit knows the attempts that failed before', () => {
    const model = heard(
      started,
      { type: 'attempt-ended', ...of, attempt: 1, startedAt: 1, duration: 1, error: 'network' },
      { type: 'circuit', origin: ORIGIN, from: 'closed', to: 'open', failures: 5, lastFailure: 'network' },
      { type: 'circuit', origin: ORIGIN, from: 'open', to: 'half-open' },
    );
    expect(model.circuits.records.get(ORIGIN)).toEqual({
      origin: ORIGIN,
      state: 'half-open',
      changes: [
        { at: 1_002, to: 'open' },
        { at: 1_003, to: 'half-open' },
      ],
      opened: {
        at: 1_002,
        failures: 5,
        lastFailure: 'network',
        failed: [`GET ${ORIGIN}/orders?page=2: network`],
      },
    });
  });
});

describe('events that nothing is known of', () => {
  test('an unknown type is logged, and changes no record', () => {
    const model = heard({ type: 'from-the-future', callId: 7, payload: '<b>' });
    expect(model.calls.ring.length).toBe(0);
    expect(JSON.parse(lineOf(model.log.at(0) as never))).toMatchObject({
      type: 'from-the-future',
      payload: '<b>',
    });
  });

  test('what is no event is ignored', () => {
    const model = heard({}, { type: 5 });
    model.receive(undefined as never, 0);
    expect(model.version).toBe(0);
  });

  test('a paused log keeps what it has', () => {
    const model = heard(started);
    model.isPaused = true;
    model.receive(started as HoldfastEvent, 0);
    expect(model.log.length).toBe(1);
    expect(model.calls.ring.length).toBe(2);
  });

  test('a line of the log has nothing secret', () => {
    const url = `${ORIGIN}/reset/abc?token=hunter2`;
    expect(lineOf(heard({ ...started, url }).log.at(0) as never)).not.toMatch(/hunter2|abc/);
  });
});

describe('what is shown', () => {
  test('a URL that is cut in the middle of a character is shown', () => {
    expect(shownUrl(`https://a.example/x?q=${'a'.repeat(999)}😀`)).toContain('aaa');
  });

  test('a URL keeps its query, but for secrets, users and fragments', () => {
    expect(shownUrl('https://me:pw@a.example/x?page=2&token=hunter2#part')).toBe(
      'https://a.example/x?page=2&token=…',
    );
  });

  test('headers that carry credentials are redacted', () => {
    const headers = new Headers({ authorization: 'Bearer abcdef', accept: 'text/html' });
    expect(shownHeaders(headers)).toEqual([
      ['accept', 'text/html'],
      ['authorization', '…'],
    ]);
  });

  test('a failure is shown by its code, status or name, and never by its message', () => {
    expect(failureText(503)).toBe('status 503');
    expect(failureText({ code: 'circuit-open', message: 'secret' })).toBe('circuit-open');
    expect(failureText(new TypeError('secret'))).toBe('TypeError');
    expect(failureText(undefined)).toBe('unknown');
  });

  test('a curl command quotes what could be a command, and has no control characters', () => {
    const call = {
      ...only(heard(started)),
      url: `${ORIGIN}/'; rm -rf ~; '\u001b[2J`,
      request: [['x-a', "it's"]] as const,
    };
    expect(curlOf(call)).toBe(`curl -X 'GET' '${ORIGIN}/'\\''; rm -rf ~; '\\''[2J' \\\n  -H 'x-a: it'\\''s'`);
  });

  test('a duration has the unit of its size', () => {
    expect([5, 1_500, 120_000, 7_200_000, 604_800_000].map(durationText)).toEqual([
      '5 ms',
      '1.5 s',
      '2 min',
      '2 h',
      '7 d',
    ]);
  });
});

describe('ring', () => {
  test('keeps the newest, newest first', () => {
    const ring = new Ring<number>(3);
    expect([1, 2, 3, 4].map((item) => ring.push(item))).toEqual([undefined, undefined, undefined, 1]);
    expect([0, 1, 2, 3, -1].map((index) => ring.at(index))).toEqual([4, 3, 2, undefined, undefined]);
    expect(ring.filter((item) => item !== 3)).toEqual([4, 2]);
    ring.clear();
    expect([ring.length, ring.at(0)]).toEqual([0, undefined]);
  });
});
