import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { standard } from '../../src/client/standard.ts';
import {
  type Call,
  type Handler,
  named,
  type PipelineContext,
  type Policy,
} from '../../src/core/contract.ts';
import { pipeline } from '../../src/core/pipeline.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { hang, networkError, ok, stalledBody, status, testHost } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** Writes its name when a call passes it, in and out. */
const tracing = (name: string, trace: string[]): Policy =>
  named(name, (next) => async (request, call) => {
    trace.push(`>${name}`);
    const response = await next(request, call);
    trace.push(`<${name}`);
    return response;
  });

/** Looks at each call. */
const spying =
  (look: (call: Call) => unknown): Policy =>
  (next) =>
  (request, call) => {
    look(call);
    return next(request, call);
  };

describe('policies', () => {
  test('run in the order of the array', async () => {
    const trace: string[] = [];
    await scenario([tracing('a', trace), tracing('b', trace)]).fetch(URL_);
    expect(trace).toEqual(['>a', '>b', '<b', '<a']);
  });

  test('are bypassed for a call that has them off, or for all, state kept', async () => {
    const trace: string[] = [];
    const { fetch } = scenario([tracing('a', trace), tracing('b', trace)]);
    await fetch(URL_, { holdfast: { a: false } });
    expect(trace.splice(0)).toEqual(['>b', '<b']);
    fetch.configure({ b: false });
    await fetch(URL_, { holdfast: { b: {} } });
    expect(trace.splice(0)).toEqual(['>a', '<a']);
    fetch.configure({ b: undefined });
    await fetch(URL_);
    expect(trace).toEqual(['>a', '>b', '<b', '<a']);
  });

  test('what a call has is fixed when it begins', async () => {
    const trace: string[] = [];
    const { fetch, origin } = scenario([tracing('a', trace), retry(), tracing('b', trace)]);
    origin.replies(() => {
      fetch.configure({ b: false });
      return status(503);
    });
    await fetch(URL_);
    expect(trace).toEqual(['>a', '>b', '<b', '>b', '<b', '<a']);
  });

  test('get a call that says whose it is and where it goes', async () => {
    const calls: Call[] = [];
    const spy = spying((call) => calls.push(call));
    let user = 'ann';
    const { fetch } = scenario([spy], { partition: () => user });
    await fetch(`${ORIGIN}:8443/a?b#c`);
    user = 'bob';
    await fetch('http://localhost/');
    expect(calls.map(({ origin, partition, attempt }) => [origin, partition, attempt])).toEqual([
      [`${ORIGIN}:8443`, 'ann', 1],
      ['http://localhost', 'bob', 1],
    ]);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  });

  test('the standard order is an array that anyone can read', () => {
    expect(standard().map(({ name }) => name)).toEqual([
      'totalTimeout',
      'retry',
      'breaker',
      'attemptTimeout',
    ]);
    expect(standard({ breaker: false }).map(({ name }) => name)).toEqual([
      'totalTimeout',
      'retry',
      'attemptTimeout',
    ]);
  });
});

describe('options', () => {
  test('of a route come between those of the pipeline and of the call; the last route wins', async () => {
    const seen: unknown[] = [];
    const spy = named(
      'spy',
      spying((call) => seen.push(call.options.spy)),
    );
    const { fetch } = scenario([spy], {
      routes: [
        { match: '/orders', spy: 'path' },
        { match: (url) => url.searchParams.has('f'), spy: 'function' },
        { match: /special$/, spy: 'pattern' },
        { match: 'https://other.', spy: 'prefix' },
      ],
    });
    for (const path of ['/', '/orders/1', '/orders?f', '/orders/special']) await fetch(`${ORIGIN}${path}`);
    await fetch('https://other.example.com/');
    await fetch(`${ORIGIN}/orders`, { holdfast: { spy: 'call' } });
    expect(seen).toEqual([undefined, 'path', 'function', 'pattern', 'prefix', 'call']);
  });

  test.each([
    ['retry', 0, { jitter: 'none' }, { limit: 0, jitter: 'none' }],
    ['timeout', '5m', { idle: '1m' }, { attempt: '5m', idle: '1m' }],
    ['retry', { methods: [] }, 1, { limit: 1, methods: [] }],
    ['timeout', { total: '5s' }, '2s', { total: '5s', attempt: '2s' }],
    ['retry', 5, true, 5],
  ])('%s: %j of a route, or of all, goes with %j of a call', async (name, short, own, both) => {
    const seen: unknown[] = [];
    const spy = named(
      name,
      spying((call) => seen.push(call.options[name])),
    );
    const routes = [{ match: '/orders', [name]: short }];
    const { fetch } = scenario([spy, tracing('other', [])], { routes });
    await fetch(`${ORIGIN}/orders`, { holdfast: { [name]: own } });
    fetch.configure({ [name]: short });
    await fetch(ORIGIN, { holdfast: { [name]: own } });
    expect(seen).toEqual([both, both]);
  });

  test('undefined in a call does not hide what a route says', async () => {
    const seen: unknown[] = [];
    const spy = named('spy', (next) => (request, call) => {
      seen.push(call.options.spy);
      return next(request, call);
    });
    const { fetch } = scenario([spy], { routes: [{ match: '/', spy: { a: 1, b: 2 } }] });
    await fetch(URL_, { holdfast: { spy: { a: undefined, b: 3 } } });
    await fetch(URL_, { holdfast: { spy: undefined } });
    expect(seen).toEqual([
      { a: 1, b: 3 },
      { a: 1, b: 2 },
    ]);
  });

  test('false for all wins over a route and a call', async () => {
    const trace: string[] = [];
    const { fetch } = scenario([tracing('a', trace)], { routes: [{ match: '/', a: {} }] });
    fetch.configure({ a: false });
    await fetch(URL_);
    await fetch(URL_, { holdfast: { a: {} } });
    expect(trace).toEqual([]);
  });

  test('that no policy has are refused, for a call, a route and all', async () => {
    const { fetch, origin } = scenario([retry()]);
    const message = /retyr: 3 is not allowed; unknown option; known: waitUntil, operation, retry/;
    await expect(fetch(URL_, { holdfast: { retyr: 3 } })).rejects.toThrow(message);
    expect(() => fetch.configure({ retyr: 3 })).toThrow(message);
    expect(() => scenario([retry()], { routes: [{ match: '/', retyr: 3 }] })).toThrow(
      /routes\[0\]\.retyr: 3 is not allowed; unknown option; known: waitUntil, operation, retry/,
    );
    expect(origin.seen).toHaveLength(0);
    await expect(fetch(URL_, { holdfast: { staleCach: false } })).rejects.toThrow(/staleCach: false/);
    expect(() => fetch.configure({ staleCach: false })).toThrow(/staleCach: false/);
    expect(() => scenario([retry()], { routes: [{ match: '/', staleCach: false }] })).toThrow(/staleCach/);
    await expect(fetch(URL_, { holdfast: { outbox: true } })).rejects.toThrow(
      /outbox: true is not allowed; this pipeline has no outbox: make it with outbox: outbox\(\)/,
    );
    expect(origin.seen).toHaveLength(0);
    // Switching off what is not there is no mistake.
    expect((await fetch(URL_, { holdfast: { outbox: false } })).status).toBe(200);
  });

  test.each<[object, RegExp]>([
    [{ retyr: 3 }, /retyr: 3 is not allowed; unknown option; known: timeout, retry/],
    [{ breaker: 5 }, /breaker: 5 is not allowed; expected an object/],
    [{ timeout: 'soon' }, /timeout\.attempt: 'soon' is not allowed/],
    [{ outbox: true, partition: 'a' }, /outbox: true is not allowed; expected what outbox\(\) returns/],
  ])('of createFetch that cannot be meant are refused with a reason: %j', (options, message) => {
    expect(() => createFetch(options as never)).toThrow(message);
  });
});

describe('what the platform’s fetch understands besides a Request', () => {
  test('reaches it, and what a Request keeps is not said twice', async () => {
    let init: object | undefined;
    const fetch = pipeline([], {
      fetch: async (_, given) => {
        init = given;
        return ok();
      },
    });
    const cf = { cacheTtl: 5 };
    await fetch(URL_, {
      cf,
      priority: 'high',
      method: 'POST',
      headers: { a: 'b' },
      body: 'x',
      holdfast: {},
    } as RequestInit);
    expect(init).toEqual({ cf, priority: 'high', signal: expect.any(AbortSignal) });
    await fetch.close();
  });
});

describe('a call', () => {
  test('emits events for the call and every attempt', async () => {
    const { fetch, origin, events } = scenario([retry({ jitter: 'none' })]);
    origin.replies(status(503), ok());
    await fetch(URL_);
    expect(events.map(({ type }) => type)).toEqual([
      'call-started',
      'attempt-started',
      'attempt-ended',
      'retry',
      'attempt-started',
      'attempt-ended',
      'call-ended',
    ]);
    expect(events.at(-1)).toMatchObject({
      status: 200,
      source: 'network',
      duration: 300,
      attempts: [
        { attempt: 1, status: 503 },
        { attempt: 2, status: 200 },
      ],
    });
    expect(new Set(events.map((event) => 'callId' in event && event.callId)).size).toBe(1);
  });

  test('does not suffer from a listener that throws or rejects', async () => {
    for (const onEvent of [
      () => {
        throw new Error('mine');
      },
      () => Promise.reject(new Error('mine')) as never,
    ])
      expect((await scenario([], { onEvent }).fetch(URL_)).status).toBe(200);
  });

  test('builds no events without a listener', async () => {
    let emit: unknown = 'unknown';
    const spy = spying((call) => {
      emit = call.emit;
    });
    const fetch = pipeline([spy], { fetch: async () => ok() });
    await fetch(URL_);
    expect(emit).toBeUndefined();
    await fetch.close();
  });

  test('keeps what outlives it until it is closed, and tells the platform', async () => {
    let finish = (): void => {};
    const work = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const taken: Promise<unknown>[] = [];
    const policy = spying((call) => call.waitUntil(work));
    const waitUntil = (each: Promise<unknown>) => void taken.push(each);
    const ofRoute: Promise<unknown>[] = [];
    const routes = [{ match: '/jobs', waitUntil: (each: Promise<unknown>) => void ofRoute.push(each) }];
    const { fetch } = scenario([policy], { waitUntil, routes });
    await fetch(URL_);
    await fetch(URL_, { holdfast: { waitUntil } });
    await fetch(`${ORIGIN}/jobs`);
    expect([taken.length, ofRoute.length]).toEqual([2, 1]);
    let closed = false;
    const closing = fetch.close().then(() => {
      closed = true;
    });
    await quiet();
    expect(closed).toBe(false);
    finish();
    await closing;
  });

  test('that bad input ends rejects, and says what is wrong', async () => {
    const { fetch } = scenario([]);
    const used = new Request(URL_, { method: 'POST', body: 'x' });
    await used.text();
    await expect(fetch(used)).rejects.toThrow(/has been used already/);
    if (globalThis.location === undefined)
      await expect(fetch('/orders')).rejects.toThrow(
        /'\/orders' is not an absolute URL, and there is no base/,
      );
  });
});

describe('a response of the network', () => {
  test('cannot say that it comes from our cache', async () => {
    const { fetch, origin } = scenario([]);
    const forged = new Response('x', { headers: { 'holdfast-source': 'stale', 'x-other': '1' } });
    Object.defineProperty(forged, 'url', { value: URL_ });
    origin.replies(forged);
    const response = await fetch(URL_);
    expect(response.headers.has('holdfast-source')).toBe(false);
    expect([response.url, response.headers.get('x-other'), await response.text()]).toEqual([URL_, '1', 'x']);
  });
});

describe('close', () => {
  test('ends calls under way and bodies that are read, and refuses what comes after', async () => {
    const { fetch, origin, clock } = scenario([totalTimeout(), retry(), attemptTimeout()]);
    const { response, cancelled } = stalledBody();
    origin.replies(response, hang(), status(503), stalledBody().response);
    const reading = (await fetch(URL_)).text();
    const hanging = fetch(URL_);
    const waiting = fetch(URL_, { holdfast: { retry: { delay: () => 5_000, jitter: 'none' } } });
    const withSignal = fetch(URL_, { signal: new AbortController().signal });
    const outcomes = Promise.allSettled([reading, hanging, waiting, (await withSignal).text()]);
    await fetch.close();
    for (const outcome of await outcomes)
      expect((outcome as PromiseRejectedResult).reason).toMatchObject({
        name: 'ClosedError',
        code: 'closed',
        category: 'aborted',
      });
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'closed' });
    expect(cancelled()).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('is what `await using` does', async () => {
    let kept: ReturnType<typeof scenario>['fetch'];
    {
      await using fetch = scenario([]).fetch;
      kept = fetch;
    }
    await expect(kept(URL_)).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('an error', () => {
  test('has the facts, and none of them in its JSON is secret', async () => {
    const { fetch, origin } = scenario([retry({ limit: 1 }), breaker(), attemptTimeout()]);
    origin.otherwise(networkError(`error sending request for url (${URL_}?token=secret)`));
    const error = await fetch(`${URL_}?token=secret`, { headers: { authorization: 'secret' } }).catch(
      (thrown) => thrown,
    );
    expect(error).toMatchObject({
      name: 'TypeError',
      code: 'network',
      category: 'network',
      transient: true,
      origin: ORIGIN,
      callId: expect.any(String),
      attempts: [{ attempt: 1 }, { attempt: 2 }],
    });
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.request).toBeInstanceOf(Request);
    const json = JSON.stringify(error);
    expect(json).toContain('"code":"network"');
    expect(json).not.toContain('secret');
  });

  test('of an engine that says Error where the standard says TypeError is a TypeError', async () => {
    const { fetch, origin } = scenario([]);
    origin.replies(
      new Error('Network connection lost.'),
      Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    );
    await expect(fetch(URL_)).rejects.toMatchObject({
      name: 'TypeError',
      message: 'Network connection lost.',
    });
    await expect(fetch(URL_)).rejects.toThrow(TypeError);
  });

  test('of an engine that forgets the reason of an abort is the reason', async () => {
    const fetch = pipeline([], {
      host: testHost(),
      fetch: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new DOMException('Fetch is aborted', 'AbortError')));
        }),
    });
    const controller = new AbortController();
    const reason = { mine: true };
    const reading = fetch(URL_, { signal: controller.signal });
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await fetch.close();
  });
});

test('a policy that takes one argument, or the home, is a policy to the types', () => {
  const one: Policy = (next: Handler) => next;
  const two: Policy = (next: Handler, _pipeline: PipelineContext) => next;
  expect([one, two]).toHaveLength(2);
});
