import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { HoldfastInit } from '../../src/core/normalize-request.ts';
import { sourceOf } from '../../src/core/outcome.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { isFailure } from '../../src/primitives/failure.ts';
import { seeded } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';
import {
  type CallPlan,
  type Ended,
  endAll,
  frozen,
  inAll,
  ONE,
  type Origin,
  type Reply,
  world,
} from './policy-laws.ts';
import { pairs, type Subject, shuffled, subjects, takesBodies, WRITES } from './policy-subjects.ts';

/** Streams take ten times as long there, so only some of the cases run. */
const SLOW = globalThis.navigator?.userAgent === 'Cloudflare-Workers' ? 8 : 1;

// Between processes a lock takes real time, in which virtual time goes on. These tests have one
// process.
beforeAll(
  () => void Object.defineProperty(globalThis.navigator, 'locks', { value: undefined, configurable: true }),
);
afterEach(endAll);
afterAll(() => void Reflect.deleteProperty(globalThis.navigator, 'locks'));

/**
 * Checks a law in each of its cases: for every policy alone, and for pairs, each of which has every
 * sixth case.
 */
function law<T>(
  title: string,
  cases: Record<string, T>,
  check: (subject: Subject, value: T) => Promise<void>,
) {
  const groups: [string, readonly Subject[], number][] = [
    ['each policy alone', subjects, SLOW],
    ['pairs in both orders', pairs, 6 * SLOW],
  ];
  test.each(groups)(`${title}: %s`, async (_, group, every) => {
    const all = group.flatMap((subject, nth) =>
      Object.entries(cases)
        .filter((_, at) => (nth + at) % every === 0)
        .map(([name, value]) => [`${subject[0]}, ${name}`, () => check(subject, value)] as const),
    );
    await inAll(all);
  });
}

const WELL: Reply = {};
const DOWN: Reply = { status: 503, chunks: ['down'] };
const LATER: Reply = { ...DOWN, headers: { 'retry-after': '2' } };
const HANGS: Reply = { is: 'hang' };
const REFUSES: Reply = { is: 'refuse' };
const STALLS: Reply = { chunks: ['one '], ends: 'stalled' };
const BREAKS: Reply = { chunks: ['one '], ends: 'broken' };

/** One reply after the other, and the last again and again. */
const script =
  (...replies: Reply[]): Origin =>
  (_, count) =>
    replies[Math.min(count, replies.length) - 1] as Reply;

/** Each with its name as a part of the value. */
const entriesOf = <T>(table: Record<string, T>): Record<string, [string, T]> =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => [name, [name, value]]));

/** Whether it queues writes in an outbox. */
const keepsWrites = (name: string): boolean => /outbox|with all/.test(name);

const readToEnd = (response: Response): Promise<string> => response.text();

function once<T>(make: () => T): () => Promise<T> {
  let made: T | undefined;
  return async () => {
    made ??= make();
    return made;
  };
}

interface Leaving {
  readonly origin: Origin;
  readonly plan: CallPlan;
  /** Calls that are made before, and are not aborted. */
  readonly ahead?: number;
  /** Calls that have failed before. */
  readonly failed?: number;
  readonly offline?: boolean;
  /** Some policies have ended the call before its abort. */
  readonly perhaps?: boolean;
  /** A request is under way then. */
  readonly wire?: boolean;
}

/** Some policies reject at once where others wait. */
const isRefusal = (error: unknown): boolean =>
  isFailure(error) && ['capacity', 'circuit-open'].includes(error.category);

const EARLIER = `${ONE}/earlier`;

const reasons: Record<string, unknown> = { 'an error': new Error('mine'), text: 'mine', nothing: undefined };

describe('the caller’s own reason comes back, and nothing is left', () => {
  const moments: Record<string, Leaving> = {
    'before the call': { origin: script(WELL), plan: { abort: 'before' } },
    'in the same moment': { origin: script({ after: 50 }), plan: { abort: 'at once' } },
    'while the origin is silent': { origin: script(HANGS), plan: { abort: 1_000 }, wire: true },
    'behind others': { origin: script({ after: 300 }), plan: { abort: 100 }, ahead: 3 },
    'after failures': {
      origin: ({ url }) => (url.endsWith('/earlier') ? LATER : HANGS),
      plan: { abort: 100 },
      failed: 2,
    },
    'after a failure': { origin: script({ ...DOWN, ends: 'stalled' }), plan: { abort: 100 }, perhaps: true },
    'after a network error': { origin: script(REFUSES, HANGS), plan: { abort: 100 }, perhaps: true },
    'while offline': {
      origin: script(REFUSES, HANGS),
      plan: { abort: 1_000 },
      offline: true,
      perhaps: true,
    },
    'while the body streams': { origin: script(STALLS), plan: { abort: 100 }, wire: true },
    'while a reader reads': { origin: script(STALLS), plan: { abort: 100, reads: 'reader' }, wire: true },
    'while a clone is read': { origin: script(STALLS), plan: { abort: 100, reads: 'clone' }, wire: true },
    'of the signal of a Request': { origin: script(STALLS), plan: { abort: 100, bare: true } },
  };

  const cases = Object.fromEntries(
    Object.entries(moments).flatMap(([moment, leaving]) =>
      Object.entries(reasons).map(([name, reason]) => [`${moment}, ${name}`, { leaving, reason }]),
    ),
  );

  const check = async ([name, make]: Subject, leaving: Leaving, reason: unknown): Promise<void> => {
    const { origin, plan, ahead = 0, failed = 0, offline, perhaps = false, wire = false } = leaving;
    const { call, left, online, wires } = await world(make(), origin);
    for (let made = 0; made < failed; made++) await call({ url: EARLIER });
    if (offline) online.set(false);
    const others = Array.from({ length: ahead }, () => call());
    const ended = await call({ ...plan, reason });
    if (!perhaps && !isRefusal(ended.error)) expect(ended.aborted, 'it was given up').toBe(true);
    if (ended.aborted) expect([ended.failed, ended.error]).toEqual([true, ended.reason]);
    if (ended.aborted) expect(ended.error).toBe(ended.reason);
    expect(ended.late).toBeLessThan(100);
    // The total limit has aborted its request by then.
    if (wire && !name.includes('totalTimeout'))
      expect(wires.map(({ reason }) => reason === ended.reason)).not.toContain(false);
    for (const other of await Promise.all(others)) expect(other.aborted).toBe(false);
    expect(await left()).toEqual({});
  };

  law('the caller’s own reason comes back, of any kind', cases, (subject, { leaving, reason }) =>
    check(subject, leaving, reason),
  );
});

describe('the caller’s own reason comes back from a queued write', () => {
  const write = { url: WRITES, init: { method: 'POST', body: 'x' } };
  const moments: Record<string, { plan: CallPlan; sent: number; origin?: Origin }> = {
    'before it was accepted': { plan: { ...write, abort: 'before' }, sent: 0 },
    'in the same moment': { plan: { ...write, abort: 'at once' }, sent: 0 },
    'while it is delivered': { plan: { ...write, abort: 100 }, sent: 1, origin: script({ after: 500 }) },
    'while its response is read': { plan: { ...write, abort: 5_000, reads: 'nothing' }, sent: 1 },
  };

  law(
    'the caller’s own reason comes back, and an accepted write is delivered',
    moments,
    async ([name, make], { plan, sent, origin }) => {
      if (!keepsWrites(name)) return;
      const { call, clock, left, requests } = await world(make(), origin);
      for (const reason of Object.values(reasons)) {
        requests.length = 0;
        const ended = await call({ ...plan, reason });
        if (ended.aborted) expect([ended.failed, ended.error === ended.reason]).toEqual([true, true]);
        else expect(plan.reads).toBe('nothing');
        await ended.response?.body?.cancel();
        expect(ended.late).toBeLessThan(100);
        // With other policies inside, the delivery has to wait for its turn.
        if (name === 'outbox') expect(await left()).toEqual({});
        else await clock.advance(20_000);
        expect(requests.length).toBe(sent);
        expect(await left()).toEqual({});
      }
    },
  );
});

describe('the caller’s arguments stay as they were', () => {
  const headers = { 'content-type': 'text/x', 'x-request-id': '1', authorization: 'secret' };
  const given: Record<string, () => [RequestInfo | URL, HoldfastInit?]> = {
    'a URL alone': () => [Object.freeze(new URL(`${ONE}/orders`))],
    'frozen options': () => [`${ONE}/orders`, frozen({ headers })],
    'a list of headers': () => [`${ONE}/orders`, frozen({ headers: Object.entries(headers) })],
    Headers: () => [`${ONE}/orders`, frozen({ headers: new Headers(headers) })],
    'a Request': () => [new Request(`${ONE}/orders`, { headers })],
    'a Request and options': () => [
      new Request(`${ONE}/orders`, { headers }),
      frozen({ method: 'PUT', body: 'x' }),
    ],
    'a Request to be written': () => [new Request(`${ONE}/orders`, { headers, method: 'POST', body: 'x' })],
    'text to be sent': () => [`${ONE}/orders`, frozen({ headers, method: 'PUT', body: 'text' })],
    'a POST': () => [`${ONE}/orders`, frozen({ headers, method: 'POST', body: 'text' })],
    'options of holdfast': () => [
      `${ONE}/orders`,
      frozen({ holdfast: { waitUntil: () => {}, retry: false } }),
    ],
  };

  const portrait = (of: RequestInfo | URL | HoldfastInit | undefined): unknown => {
    if (of instanceof Request) {
      const { url, method, headers, signal, cache, credentials, mode } = of;
      return { url, method, headers: [...headers], signal, cache, credentials, mode };
    }
    if (of instanceof URL || typeof of !== 'object') return String(of);
    const { headers, ...rest } = of;
    return { ...rest, headers: headers instanceof Headers ? [...headers] : JSON.stringify(headers) };
  };

  law('the arguments stay as they were, however the call ends', given, async ([, make], give) => {
    const { fetch, settled, left, requests } = await world(
      make(),
      script(DOWN, REFUSES, { after: 800 }, WELL),
      { clock: { quiet } },
    );
    const args = give();
    const before = args.map(portrait);
    for (let call = 0; call < 2; call++) {
      if (args[0] instanceof Request && args[0].bodyUsed) break;
      await settled(fetch(...args).then(readToEnd)).catch(() => {});
    }
    expect(requests.length).toBeGreaterThan(0);
    expect(args.map(portrait)).toEqual(before);
    expect(await left()).toEqual({});
  });
});

describe('aborted calls leave nothing behind', () => {
  const DEAF = 'responds in spite of an abort';
  const DEAF_AND_DOWN = 'fails in spite of an abort';
  const origins: Record<string, Origin> = {
    responds: script(WELL),
    'responds without a body': script({ status: 204 }),
    'has nothing new': script(WELL, { status: 304 }),
    'has not found it': script(WELL, { status: 404 }),
    fails: script(DOWN),
    'fails with a body that stalls': script({ ...DOWN, ends: 'stalled' }),
    'fails, and recovers': script(DOWN, WELL),
    'responds, and fails then': script({ headers: { etag: '"1"' } }, DOWN),
    'sends Retry-After': script(LATER, { status: 429, headers: { 'retry-after': '3' } }, WELL),
    refuses: script(REFUSES),
    'refuses, and recovers': script(REFUSES, REFUSES, WELL),
    'is slow': script({ after: 1_200 }),
    'is slow at first': script({ after: 1_200 }, WELL),
    'is slow, and fails': script({ ...DOWN, after: 1_200 }, { ...DOWN, after: 200 }),
    'is slow, and fails with a body that stalls': script({ ...DOWN, ends: 'stalled', after: 700 }),
    'hangs at first': script(HANGS, WELL),
    hangs: script(HANGS),
    'breaks off': script(BREAKS),
    'breaks off at first': script(BREAKS, WELL),
    stalls: script(STALLS),
    'stalls at first': script(STALLS, WELL),
    [DEAF]: script({ after: 4_000, deaf: true }),
    [DEAF_AND_DOWN]: script({ ...DOWN, after: 4_000, deaf: true, ends: 'stalled' }),
  };

  law(
    'aborted calls that read text leave nothing behind, when the origin',
    origins,
    async ([, make], origin) => {
      const { call, left, clock } = await world(make(), origin);
      await Promise.all([call({ abort: 60_000 }), call({ abort: 700 })]);
      await call({ abort: 60_000, bare: true });
      await clock.advance(10_000);
      await call({ abort: 60_000, init: { method: 'HEAD' } });
      await clock.advance(5_000);
      expect(await left()).toEqual({});
    },
  );

  law(
    'aborted calls that read otherwise leave nothing behind, when the origin',
    origins,
    async ([, make], origin) => {
      const { call, left, clock } = await world(make(), origin);
      const reads = ['cancel', 'part', 'clone', 'reader'] as const;
      await Promise.all(reads.map((how) => call({ abort: 60_000, reads: how })));
      await call({ abort: 60_000, reads: 'part' });
      await clock.advance(3_000);
      await call({ abort: 60_000, init: { method: 'POST', body: 'x' }, reads: 'cancel' });
      // Until the responses have come that no call waits for.
      if (origin === origins[DEAF] || origin === origins[DEAF_AND_DOWN]) await clock.advance(5_000);
      expect(await left()).toEqual({});
    },
  );
});

describe('calls without a signal', () => {
  const origins: Record<string, Origin> = {
    responds: script(WELL),
    'responds without a body': script({ status: 204 }),
    fails: script(DOWN),
    'fails, and recovers': script(DOWN, WELL),
    refuses: script(REFUSES),
    'refuses, and recovers': script(REFUSES, REFUSES, WELL),
    'is slow': script({ after: 1_200 }),
    'breaks off': script(BREAKS),
    'breaks off at first': script(BREAKS, WELL),
  };

  law(
    'calls without a signal leave nothing, and share no error, when the origin',
    origins,
    async ([name, make], origin) => {
      if (name.includes('never')) return;
      const { call, clock, left, online } = await world(make(), origin);
      const plan = { bare: 'none' } as const;
      online.set(false);
      const stop = clock.after(2_000, () => online.set(true));
      const ended = await Promise.all([call(plan), call(plan)]);
      ended.push(await call({ ...plan, reads: 'reader' }));
      if (keepsWrites(name) && origin === origins.responds)
        await call({ ...plan, url: WRITES, init: { method: 'POST', body: 'x' } });
      stop();
      const errors = ended
        .map(({ error }) => error)
        .filter((error) => isFailure(error) && origin === origins.refuses);
      expect(new Set(errors).size).toBe(errors.length);
      expect(await left()).toEqual({});
    },
  );
});

describe('a stream streams', () => {
  const parts = Array.from({ length: 40 }, (_, at) => `part ${at} `);

  law(
    'a stream streams part by part, and few parts are read ahead',
    { once: 1, 'twice at a time': 2 },
    async (subject, calls) => {
      const [name, make] = subject;
      if (takesBodies(subject) || (calls > 1 && name.includes('bulkhead'))) return;
      const { fetch, clock, settled, pulled, left } = await world(make(), script({ chunks: parts }));
      const responses = await settled(
        Promise.all(Array.from({ length: calls }, () => fetch(`${ONE}/stream`))),
      );
      const readers = responses.map(({ body }) => (body as ReadableStream<Uint8Array>).getReader());
      for (const [at, reader] of readers.entries()) {
        const { value } = await settled(reader.read());
        expect(new TextDecoder().decode(value)).toBe(parts[0]);
        await clock.advance(60_000);
        expect(pulled()).toBeLessThanOrEqual(4 * (at + 1));
      }
      await settled(Promise.all(readers.map((reader) => reader.cancel())));
      expect(await left()).toEqual({});
    },
  );
});

describe('a reader that aborts or cancels', () => {
  const leaving: Record<string, CallPlan> = {
    'aborts its call': { abort: 100 },
    'aborts its call, and reads a clone': { abort: 100, reads: 'clone' },
    'cancels its body': { reads: 'part' },
    'cancels one of its own clones': { reads: 'half a clone' },
  };

  law(
    'a reader takes nothing from others, nor from a cached response, when it',
    leaving,
    async ([, make], plan) => {
      const parts: Reply = { chunks: ['one ', 'two ', 'three'], gap: 200 };
      let down = false;
      const { call, clock, left } = await world(make(), () => (down ? REFUSES : parts));
      const [, other] = await Promise.all([call(plan), call()]);
      if (!other.failed) expect(other.text).toBe('one two three');
      await clock.advance(1_000);
      down = true;
      const { response, text } = await call({ abort: 20_000 });
      if (response && ['stale', 'cache'].includes(sourceOf(response))) expect(text).toBe('one two three');
      expect(await left()).toEqual({});
    },
  );
});

describe('a response keeps its facts', () => {
  const facts = { url: `${ONE}/moved`, redirected: true, type: 'cors', statusText: 'Fine' } as const;
  const headers = { etag: '"1"', 'content-type': 'text/x', 'content-length': '7' };
  const replies: Record<string, [Reply, RequestInit?]> = {
    'with a body': [{ facts, headers }],
    'of an error': [{ status: 404, facts, headers }],
    'not followed': [{ status: 301, facts: { ...facts, redirected: false }, headers: { location: '/b' } }],
    'to HEAD': [{ facts, headers }, { method: 'HEAD' }],
    'to POST': [
      { status: 201, facts, headers },
      { method: 'POST', body: 'x' },
    ],
    'without content': [{ status: 204, facts }],
    'to be filled in again': [{ status: 205, facts }],
    'not modified': [{ status: 304, facts, headers }, { headers: { 'if-none-match': '"1"' } }],
    'with an empty body': [{ chunks: [], facts }],
    'with an empty chunk': [{ chunks: ['one ', '', 'two'], facts }],
    'without a body': [{ chunks: null, facts }],
  };

  const portrait = ({ url, type, redirected, status, statusText, ok, headers, body }: Response): unknown => ({
    ...{ url, type, redirected, status, statusText, ok, headers: [...headers] },
    body: body === null ? null : 'a stream',
  });

  law('a response keeps its facts, and so does its clone', replies, async ([name, make], [reply, init]) => {
    const plain = await world([], script(reply));
    const { fetch, settled, left } = await world(make(), script(reply));
    const expected = await plain.settled(plain.fetch(`${ONE}/orders`, init));
    const first = fetch(`${ONE}/orders`, init).then(readToEnd);
    // A call has its slot until its body is read.
    if (name.includes('bulkhead')) await settled(first);
    const [same, second] = await settled(Promise.all([first, fetch(`${ONE}/orders`, init)]));
    const clone = second.clone();
    expect([second.url, second.type]).toEqual([facts.url, facts.type]);
    const text = await expected.text();
    for (const response of [second, clone]) {
      expect(response).toBeInstanceOf(Response);
      expect(portrait(response)).toEqual(portrait(expected));
      expect(response.bodyUsed).toBe(false);
    }
    expect(await settled(Promise.all([second.text(), clone.text()]))).toEqual([text, text]);
    expect([same, second.bodyUsed]).toEqual([text, expected.bodyUsed]);
    expect(await left()).toEqual({});
  });
});

describe('a transport that misbehaves', () => {
  const DEAF = 'never responds, in spite of an abort';

  const used = async (status: number): Promise<Response> => {
    const response = new Response('used', { status });
    await response.text();
    return response;
  };
  const transports: Record<string, () => unknown> = {
    'throws an Error': () => {
      throw new Error('mine');
    },
    'throws a TypeError': () => {
      throw new TypeError('mine');
    },
    'throws text': () => {
      throw 'mine';
    },
    'throws nothing': () => {
      throw undefined;
    },
    'rejects with text': () => Promise.reject('mine'),
    'rejects with nothing': () => Promise.reject(),
    'rejects with null': () => Promise.reject(null),
    'rejects with a frozen error': () => Promise.reject(Object.freeze(new Error('mine'))),
    'rejects with what only looks like our error': () =>
      Promise.reject({ code: 'network', category: 'network', transient: true }),
    'responds with nothing': () => Promise.resolve(),
    'responds with text': () => Promise.resolve('text'),
    'responds with a used body': () => used(200),
    'fails with a used body': () => used(503),
    'returns no promise': () => new Response('x'),
    'returns nothing': () => undefined,
    'gives one response to all': once(() => new Response('x')),
    [DEAF]: () => new Promise(() => {}),
    'breaks its body off with text': () =>
      Promise.resolve(new Response(new ReadableStream({ pull: (controller) => controller.error('mine') }))),
    'breaks its body off with nothing': () =>
      Promise.resolve(new Response(new ReadableStream({ pull: (controller) => controller.error() }))),
  };

  law('a call ends if its transport', entriesOf(transports), async ([name, make], [title, transport]) => {
    // Only a time limit ends the call of a transport that never does.
    if (title === DEAF && !/timeout|standard/i.test(name)) return;
    const { call, left } = await world(make(), undefined, { fetch: transport as never });
    const plan = { abort: 100_000 };
    const ended = await Promise.all([call(plan), call(plan), call({ ...plan, reads: 'reader' })]);
    ended.push(await call(plan));
    const responds = /^(gives|returns)/.test(title) || /fallback|with all/.test(name);
    if (!responds) expect(ended.map(({ failed }) => failed)).toEqual([true, true, true, true]);
    expect(await left()).toEqual({});
  });
});

describe('several policies in any order', () => {
  const replies: Reply[] = [
    ...[WELL, WELL, WELL, DOWN, LATER, HANGS, REFUSES, STALLS, BREAKS, { after: 700 }, { after: 5_000 }],
    { ...DOWN, ends: 'stalled' },
    { after: 4_000, deaf: true },
    { status: 204 },
    { status: 404 },
    { status: 429, headers: { 'retry-after': '1' } },
  ];
  const writes = [
    { method: 'PUT', body: 'x' },
    { method: 'POST', body: 'x' },
  ];

  const check = async (make: Subject[1], seed: number, count: number): Promise<void> => {
    const random = seeded(seed);
    const one = <const T>(...of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
    let recovered = false;
    const policies = make();
    const { fetch, call, left, there, clock, settled, underWay } = await world(
      policies,
      () => (recovered ? WELL : one(...replies)),
      { seed, canShareIO: random() < 0.8 },
    );
    const plan = (): CallPlan => ({
      url: one<string>(`${ONE}/a`, `${ONE}/a`, `${ONE}/b`, WRITES),
      init: one<RequestInit>({}, {}, { method: 'HEAD' }, ...writes),
      abort: one<number | 'at once'>(200_000, 200_000, 200_000, 400, 'at once'),
      reads: one('text', 'text', 'reader', 'clone', 'cancel', 'part'),
      bare: one(true, false),
    });
    const caller = async (): Promise<void> => {
      for (let made = 0; made < 3; made++) await call(plan());
    };
    await Promise.all(Array.from({ length: count }, caller));
    // An outbox delivers its waiting entries.
    recovered = true;
    for (let minutes = 0; minutes < 120; minutes += 5) await clock.advance(300_000);
    const { followers = 0, ...more } = await left();
    expect(more).toEqual({});
    // A delivery without a time limit may be under way for as long as its pipeline, and each run of
    // it follows one signal.
    expect(followers).toBeLessThanOrEqual(underWay() * policies.length);
    await settled(fetch.close());
    expect(Object.values(there())).toEqual([0, 0, 0, 0, 0]);
  };

  test.each([1, 20])(
    'several policies in any order let %d callers at a time come to their end',
    async (count) => {
      const random = seeded(20_261_121 + count);
      await inAll(
        Array.from({ length: 60 / SLOW }, () => {
          const [name, make] = shuffled(random);
          const seed = Math.floor(random() * 2 ** 32);
          return [`${name}, seed ${seed}`, () => check(make, seed, count)] as const;
        }),
      );
    },
  );
});

describe('after close()', () => {
  const SILENT = 'the origin was silent';
  const STREAMS = 'a body was under way';
  const ABOUT = 'the origin was about to respond';
  const origins: Record<string, Origin> = {
    'nothing was under way': script(WELL),
    [SILENT]: script(HANGS),
    [STREAMS]: script(STALLS),
    'attempts had failed': script({ ...DOWN, ends: 'stalled' }),
    'the network had failed': script(REFUSES),
    'the origin had sent Retry-After': script(LATER),
    [ABOUT]: script({ after: 1_500 }),
  };

  /** No call has ended by itself before. */
  const pending = [origins[SILENT], origins[STREAMS], origins[ABOUT]];

  law('a closed pipeline leaves nothing, and rejects calls, when', origins, async ([name, make], origin) => {
    const { fetch, call, there, clock, settled, requests } = await world(make(), origin);
    const made: Promise<Ended>[] = [];
    if (origin !== origins['nothing was under way'])
      made.push(call(), call(), call({ reads: 'reader' }), call({ init: { method: 'HEAD' } }));
    if (keepsWrites(name)) made.push(call({ url: WRITES, init: { method: 'POST', body: 'x' } }));
    await settled(new Promise<void>((done) => clock.after(600, () => done(fetch.close()))));
    const sent = requests.length;
    const errors = (await settled(Promise.all(made))).map(({ error }) => error);
    if (pending.includes(origin))
      for (const error of errors)
        if (error && !isRefusal(error)) expect(error).toMatchObject({ code: 'closed' });
    const closed = errors.filter((error) => isFailure(error) && error.code === 'closed');
    if (origin === origins[SILENT]) expect(new Set(closed).size).toBe(closed.length);
    await clock.advance(100_000);
    expect(there()).toEqual({ timers: 0, listeners: 0, followers: 0, subscriptions: 0, bodies: 0 });
    const late = await call();
    expect(late.error).toMatchObject({ name: 'ClosedError', code: 'closed' });
    expect(late.error).not.toBe((await call()).error);
    expect(requests.length).toBe(sent);
  });
});

test('the world counts the resources of calls that are under way', async () => {
  const { call, clock, there } = await world([totalTimeout(), attemptTimeout()], (_, count) =>
    count === 1 ? STALLS : HANGS,
  );
  const during = new Promise((give) => clock.after(1_000, () => give(there())));
  const calls = [call({ abort: 1_500 }), call({ abort: 1_500, bare: true })];
  // Two of the timers belong to the policies, and four to this test.
  expect(await during).toEqual({ timers: 6, listeners: 2, followers: 2, subscriptions: 0, bodies: 1 });
  await Promise.all(calls);
  expect(Object.values(there())).toEqual([0, 0, 0, 0, 0]);
});
