import { describe, expect, test } from 'vitest';
import type { Clock, Policy } from '../../src/core/contract.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { attemptTimeout, type TimeoutOption, totalTimeout } from '../../src/policies/timeout.ts';
import { hang, ok, slow, stalledBody } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;
const both = (options?: TimeoutOption) => scenario([totalTimeout(options), attemptTimeout(options)]);

/** Two chunks with a pause between them, in ms. */
function pausing(clock: Clock, ms: number): Response {
  const encoder = new TextEncoder();
  let part = 0;
  let cancel = (): void => {};
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (part++ === 0) return controller.enqueue(encoder.encode('one'));
        return new Promise<void>((done) => {
          cancel = clock.after(ms, () => {
            controller.enqueue(encoder.encode('two'));
            controller.close();
            done();
          });
        });
      },
      cancel: () => cancel(),
    }),
  );
}

describe('the attempt timeout', () => {
  test('an attempt has 10 s to its headers', async () => {
    const { fetch, origin, clock, emitted } = both();
    origin.replies(hang());
    await expect(fetch(URL_)).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'timeout-attempt',
      category: 'timeout',
      transient: true,
      origin: ORIGIN,
    });
    expect(clock.ticks()).toBe(10_000);
    expect(emitted('timeout')).toMatchObject([{ limit: 'attempt', ms: 10_000 }]);
  });

  test('an attempt times out even if the transport ignores its signal, and a late response is cancelled', async () => {
    const { response, cancelled } = stalledBody();
    const { fetch, clock } = scenario([attemptTimeout('1s')], {
      fetch: () => new Promise((resolve) => void clock.after(2_000, () => resolve(response))),
    });
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-attempt' });
    expect(clock.ticks()).toBe(1_000);
    await clock.advance(5_000);
    expect(cancelled()).toBe(true);
  });

  test('an attempt leaves no timer behind', async () => {
    const { fetch, clock } = both();
    await (await fetch(URL_)).text();
    expect(clock.pending).toBe(0);
  });
});

describe('the idle limit of a body', () => {
  test('a body that stalls does not hang the call, however it is read', async () => {
    const readers: ((response: Response) => Promise<unknown>)[] = [
      (response) => response.text(),
      (response) => response.json(),
      (response) => response.arrayBuffer(),
      (response) => response.blob(),
      (response) => response.clone().text(),
      async (response) => {
        response.body?.locked;
        return response.text();
      },
    ];
    for (const read of readers) {
      const { fetch, origin, clock } = both();
      const { response, cancelled } = stalledBody();
      origin.replies(response);
      await expect(read(await fetch(URL_))).rejects.toMatchObject({
        name: 'TimeoutError',
        code: 'timeout-idle',
      });
      expect(clock.ticks()).toBe(10_000);
      expect(cancelled()).toBe(true);
    }
  });

  const chunks = async (response: Response): Promise<number> => {
    const reader = (response.body as ReadableStream).getReader();
    for (let count = 0; ; count++) if ((await reader.read()).done) return count;
  };

  test('a body that is read chunk by chunk may pause for as long as its origin likes', async () => {
    const { fetch, origin, clock } = both();
    origin.replies(pausing(clock, 12_000));
    expect(await chunks(await fetch(URL_))).toBe(2);
    expect(clock.ticks()).toBe(12_000);
    origin.replies(pausing(clock, 12_000));
    expect(await new Response((await fetch(URL_)).body).text()).toBe('onetwo');
  });

  test.each([
    'text/event-stream',
    'application/x-ndjson; charset=utf-8',
    'application/json-seq',
    'multipart/x-mixed-replace; boundary=b',
  ])('a body of the streaming type %s may pause, even if the caller reads it whole', async (type) => {
    const { fetch, origin, clock } = both();
    origin.replies(new Response(pausing(clock, 12_000).body, { headers: { 'content-type': type } }));
    expect(await (await fetch(URL_)).text()).toBe('onetwo');
  });

  test.each(['before', 'after'])(
    'a body that is read whole has its idle limit, also if a clone is streamed that was begun %s',
    async (when) => {
      const { fetch, origin } = both();
      origin.replies(stalledBody().response);
      const response = await fetch(URL_);
      const clone = response.clone();
      const streamed = when === 'before' ? chunks(response).catch(() => {}) : undefined;
      const whole = clone.text();
      const late = when === 'after' ? chunks(response).catch(() => {}) : undefined;
      await expect(whole).rejects.toMatchObject({ code: 'timeout-idle' });
      await Promise.all([streamed, late]);
    },
  );

  test('a body that two callers share by dedupe has its idle limit', async () => {
    const { fetch, origin } = scenario([dedupe(), totalTimeout(), attemptTimeout()], { partition: 'public' });
    origin.otherwise(() => stalledBody().response);
    const [one, two] = await Promise.all([fetch(URL_), fetch(URL_)]);
    for (const response of [one, two])
      await expect(response.text()).rejects.toMatchObject({ code: 'timeout-idle' });
    expect(origin.seen).toHaveLength(1);
  });

  test('any body has an explicit idle limit', async () => {
    for (const type of ['text/plain', 'text/event-stream'])
      for (const read of [chunks, (response: Response) => response.text()]) {
        const { fetch, origin, clock } = both({ idle: '5s' });
        origin.replies(new Response(pausing(clock, 12_000).body, { headers: { 'content-type': type } }));
        await expect(read(await fetch(URL_))).rejects.toMatchObject({ code: 'timeout-idle' });
        expect(clock.ticks()).toBe(5_000);
      }
  });

  test('a body that stalls ends also if the platform reads it, with an error of its own', async () => {
    const { fetch, origin, clock } = both({ idle: '10s' });
    origin.replies(stalledBody().response);
    const { body } = await fetch(URL_);
    await expect(new Response(body).text()).rejects.toThrow();
    expect(clock.ticks()).toBe(10_000);
  });

  test('a body that the caller reads slowly does not time out', async () => {
    const { fetch, clock } = both();
    const response = await fetch(URL_);
    await clock.advance(60_000);
    expect(await response.text()).toBe('ok');
  });

  test('a body that drips longer than every limit is read to its end', async () => {
    const { fetch, origin, clock } = both();
    let left = 20;
    const stream = new ReadableStream({
      pull: (controller) =>
        new Promise<void>((done) => {
          clock.after(9_000, () => {
            controller.enqueue(new TextEncoder().encode('x'));
            if (--left === 0) controller.close();
            done();
          });
        }),
    });
    origin.replies(new Response(stream));
    expect(await (await fetch(URL_)).text()).toHaveLength(20);
    expect(clock.ticks()).toBeGreaterThan(170_000);
  });

  test('an event stream may be silent', async () => {
    const { fetch, origin, clock } = both();
    const { response } = stalledBody();
    origin.replies(new Response(response.body, { headers: { 'content-type': 'text/event-stream' } }));
    const reader = ((await fetch(URL_)).body as ReadableStream).getReader();
    await reader.read();
    let ended = false;
    reader.read().then(
      () => {
        ended = true;
      },
      () => {
        ended = true;
      },
    );
    await clock.advance(3_600_000);
    expect(ended).toBe(false);
  });
});

describe('the total timeout', () => {
  test('the total timeout is over when the caller gets the response', async () => {
    const { fetch, origin, clock } = both({ total: '3s', attempt: '3s' });
    origin.replies(slow(clock, 2_000));
    const response = await fetch(URL_);
    await clock.advance(10_000);
    expect(await response.text()).toBe('ok');
  });

  test('the total timeout ends a wait', async () => {
    const { fetch, origin, clock } = both({ total: '3s', attempt: false });
    origin.replies(hang());
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-total' });
    expect(clock.ticks()).toBe(3_000);
  });

  test('an explicit attempt timeout above the total extends the total', async () => {
    const { fetch, origin, clock } = both('60s');
    origin.replies(slow(clock, 59_000));
    expect((await fetch(URL_)).status).toBe(200);
  });
});

describe('limits that are named in several places', () => {
  test('an idle limit of a call leaves the total of the client as it is', async () => {
    const { fetch, origin, clock } = both({ total: '5s' });
    origin.replies(hang());
    await expect(fetch(URL_, { holdfast: { timeout: { idle: '1s' } } })).rejects.toMatchObject({
      code: 'timeout-total',
    });
    expect(clock.ticks()).toBe(5_000);
  });

  test('a total of a call ends the longer attempt of a route', async () => {
    const { fetch, origin, clock } = scenario([totalTimeout(), attemptTimeout()], {
      routes: [{ match: '/orders', timeout: '10s' }],
    });
    origin.replies(hang());
    await expect(fetch(URL_, { holdfast: { timeout: { total: '3s' } } })).rejects.toMatchObject({
      code: 'timeout-total',
    });
    expect(clock.ticks()).toBe(3_000);
  });

  test('an attempt of a call may be longer than the total of the client', async () => {
    const { fetch, origin, clock } = both({ total: '3s' });
    origin.replies(hang());
    await expect(fetch(URL_, { holdfast: { timeout: '7s' } })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    expect(clock.ticks()).toBe(7_000);
  });
});

describe('uploads', () => {
  const large = 'x'.repeat(300_000);

  test.each([
    ['over 256 kB', () => ({ body: large })],
    [
      'of a form over 256 kB',
      () => {
        const form = new FormData();
        form.set('small', 'x');
        form.set('large', large);
        return { body: form };
      },
    ],
    ['of a blob over 256 kB', () => ({ body: new Blob([large]) })],
    ['of bytes over 256 kB', () => ({ body: new Uint8Array(300_000) })],
    ['of unknown size', () => ({ body: new Blob(['x']).stream(), duplex: 'half' })],
  ])('uploads %s have no default limit', async (_, init) => {
    const { fetch, origin, clock } = both();
    origin.replies(slow(clock, 120_000));
    expect((await fetch(URL_, { method: 'POST', ...init() })).status).toBe(200);
  });

  const bytes = new Uint8Array([0, 1, 2, 3]);

  test.each([
    ['text', 'small'],
    ['parameters', new URLSearchParams('a=b')],
    ['bytes', bytes],
    ['a part of bytes', bytes.subarray(1, 3)],
    ['a buffer', bytes.buffer],
    ['a view', new DataView(bytes.buffer)],
    // Firefox does not say that a request has no body.
    ['nothing', undefined],
    ['null', null],
  ])('small uploads of %s have the default limits', async (_, body) => {
    const { fetch, origin, clock } = both();
    origin.replies(hang());
    await expect(fetch(URL_, { method: 'POST', ...(body !== undefined && { body }) })).rejects.toMatchObject({
      code: 'timeout-attempt',
    });
    expect(clock.ticks()).toBe(10_000);
  });

  test('uploads have an explicit limit', async () => {
    const { fetch, origin } = both({ attempt: '5s' });
    origin.replies(hang());
    await expect(fetch(URL_, { method: 'POST', body: large })).rejects.toMatchObject({
      code: 'timeout-attempt',
    });
  });
});

describe('the caller’s signal and limits', () => {
  test('the caller gets its own reason back, before and during the call', async () => {
    const { fetch, origin, clock } = both();
    const reason = new Error('mine');
    await expect(fetch(URL_, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(origin.seen).toHaveLength(0);
    const controller = new AbortController();
    origin.replies(hang());
    clock.after(500, () => controller.abort(reason));
    await expect(fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
    expect(clock.ticks()).toBe(500);
  });

  test('the caller may abort during the body', async () => {
    const { fetch, origin, clock } = both({ idle: false });
    const { response, cancelled } = stalledBody();
    const controller = new AbortController();
    const reason = new Error('mine');
    origin.replies(response);
    const result = await fetch(URL_, { signal: controller.signal });
    clock.after(500, () => controller.abort(reason));
    await expect(result.text()).rejects.toBe(reason);
    expect(cancelled()).toBe(true);
  });

  test('the caller gets its own reason back if it aborts before the attempt begins', async () => {
    const reason = new Error('mine');
    const controller = new AbortController();
    const deaf: Policy = (next) => async (request, call) => {
      controller.abort(reason);
      return next(request, call);
    };
    const { fetch, origin } = scenario([deaf, attemptTimeout()]);
    await expect(fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
    expect(origin.seen).toHaveLength(0);
  });

  test('a call may switch its limits off, each or all', async () => {
    const { fetch, origin, clock } = both();
    origin.replies(slow(clock, 3_600_000, () => ok('late')));
    expect(await (await fetch(URL_, { holdfast: { timeout: false } })).text()).toBe('late');
  });
});

test.each([
  ['5 s', /timeout\.attempt: '5 s' is not allowed; did you mean '5s'\?/],
  [-1, /timeout\.attempt: -1 is not allowed; expected a number of milliseconds/],
  [Number.NaN, /timeout\.attempt: NaN is not allowed/],
  ['5 fortnights', /timeout\.attempt: '5 fortnights' is not allowed; expected a number of milliseconds/],
  [{ totl: 1 }, /timeout\.totl: 1 is not allowed; unknown option; known: total, attempt, idle/],
])('an impossible timeout option throws an error with a reason: %j', async (option, message) => {
  expect(() => totalTimeout(option as never)).toThrow(message);
  const { fetch, origin } = both();
  await expect(fetch(URL_, { holdfast: { timeout: option } })).rejects.toThrow(message);
  expect(origin.seen).toHaveLength(0);
});
