import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/core/contract.ts';
import { CapacityError, CircuitOpenError } from '../../src/core/errors.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { type FailoverOptions, failover } from '../../src/policies/failover.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { telemetry } from '../../src/policies/telemetry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { hang, networkError, ok, type Step, stalledBody, status } from '../../src/testing.ts';
import { sendsStreams } from '../support/platform.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const A = ORIGIN;
const B = 'https://b.example.com';
const C = 'https://c.example.com';
const PATH = '/orders?page=2';

const over = (options: Partial<FailoverOptions> = {}): ReturnType<typeof failover> =>
  failover({ origins: [A, B, C], ...options });

/** Not in Bun and in Workers, which have no cookies. */
const KEEPS_CREDENTIALS = new Request(A, { credentials: 'omit' }).credentials === 'omit';

const outcome = (promise: Promise<Response>): Promise<unknown> =>
  promise.then(
    (response) => response.text(),
    (error) => error,
  );

const originsOf = ({ origin }: Scenario): string[] => origin.seen.map(({ url }) => new URL(url).origin);

/** The origins that are down; all others respond. */
function without(scene: Scenario, ...down: string[]): void {
  scene.origin.otherwise((request) => {
    if (down.some((each) => request.url.startsWith(each))) throw networkError();
    return ok();
  });
}

describe('failover to the next origin', () => {
  test.each<[string, () => Step, unknown]>([
    ['a network error', networkError, { code: 'network' }],
    ['502', () => status(502), 502],
    ['503', () => status(503), 503],
    ['504', () => status(504), 504],
    ['an attempt timeout', hang, { code: 'timeout-attempt' }],
  ])('failover sends a read to the next origin after %s', async (_, how, cause) => {
    const scene = scenario([over(), attemptTimeout()]);
    scene.origin.replies(how(), ok('b'));
    expect(await outcome(scene.fetch(A + PATH))).toBe('b');
    expect(scene.origin.seen.map(({ url }) => url)).toEqual([A + PATH, B + PATH]);
    expect(scene.emitted('failover')).toMatchObject([{ origin: A, to: B, cause }]);
    expect(scene.emitted('call-ended')[0]?.attempts.map(({ origin }) => origin)).toEqual([A, B]);
    expect(scene.clock.pending).toBe(0);
  });

  test.each([
    ['an open circuit', new CircuitOpenError({ origin: A })],
    ['a full bulkhead', new CapacityError('bulkhead-full', 'full')],
  ])('failover sends any call to the next origin if nothing was sent because of %s', async (_, refusal) => {
    const refusing: Policy = (next) => (request, call) =>
      call.origin === A ? Promise.reject(refusal) : next(request, call);
    const scene = scenario([over(), refusing]);
    expect(await outcome(scene.fetch(A + PATH, { method: 'POST', body: 'order' }))).toBe('ok');
    const unread = new Request(A + PATH, { method: 'POST', body: 'stream' });
    expect(await outcome(scene.fetch(unread))).toBe('ok');
    expect(scene.origin.seen).toMatchObject([
      { method: 'POST', url: B + PATH, body: 'order' },
      { method: 'POST', url: B + PATH, body: 'stream' },
    ]);
  });

  test('failover does not repeat a write that was sent before its rejection', async () => {
    const sentTwice: Policy = (next) => async (request, call) => {
      await next(request, call);
      throw new CircuitOpenError({ origin: A });
    };
    const scene = scenario([over(), sentTwice]);
    await outcome(scene.fetch(A + PATH, { method: 'POST', body: 'order' }));
    expect(originsOf(scene)).toEqual([A]);
  });

  test('failover tries each origin once, and the failure of the last one counts', async () => {
    const scene = scenario([over()]);
    scene.origin.replies(status(503), networkError('b'), networkError('c'));
    const error = await outcome(scene.fetch(A + PATH));
    expect(error).toMatchObject({ code: 'network', message: 'c' });
    expect((error as { attempts: { origin: string }[] }).attempts.map(({ origin }) => origin)).toEqual([
      A,
      B,
      C,
    ]);
  });

  test('failover returns the response of the last origin, and cancels the bodies of the others', async () => {
    const scene = scenario([over()]);
    const { response, cancelled } = stalledBody();
    scene.origin.replies(new Response(response.body, { status: 503 }), status(503), status(503));
    expect(await outcome(scene.fetch(A + PATH))).toBe('status 503');
    expect(cancelled()).toBe(true);
  });

  test('failover tries all origins again in each attempt of a retry', async () => {
    const scene = scenario([retry({ limit: 1, jitter: 'none' }), over()]);
    scene.origin.otherwise(() => status(503));
    await outcome(scene.fetch(A + PATH));
    expect(originsOf(scene)).toEqual([A, B, C, A, B, C]);
  });

  test('failover keeps the method, the headers and the body of the request', async () => {
    const scene = scenario([over()]);
    scene.origin.replies(status(503));
    await outcome(scene.fetch(A + PATH, { method: 'PUT', body: 'new', headers: { 'x-own': 'yes' } }));
    expect(scene.origin.seen.map(({ method, body }) => [method, body])).toEqual([
      ['PUT', 'new'],
      ['PUT', 'new'],
    ]);
    expect(scene.origin.seen[1]?.headers.get('x-own')).toBe('yes');
    expect(scene.origin.seen[1]?.headers.get('content-type')).toBe(
      scene.origin.seen[0]?.headers.get('content-type'),
    );
  });
});

describe('no failover', () => {
  test.each([200, 301, 400, 404, 408, 429, 500, 501])(
    'failover does not leave the origin after status %i',
    async (code) => {
      const scene = scenario([over()]);
      scene.origin.replies(status(code));
      expect((await scene.fetch(A + PATH)).status).toBe(code);
      expect(originsOf(scene)).toEqual([A]);
    },
  );

  test.each<[string, () => Step]>([
    ['a network error', networkError],
    ['503', () => status(503)],
    ['a timeout', hang],
  ])('failover does not repeat a POST that may have been processed: %s', async (_, how) => {
    const scene = scenario([over(), attemptTimeout()]);
    scene.origin.replies(how());
    await outcome(scene.fetch(A + PATH, { method: 'POST', body: 'order' }));
    expect(originsOf(scene)).toEqual([A]);
  });

  test('failover repeats a POST with an Idempotency-Key', async () => {
    const scene = scenario([over()]);
    scene.origin.replies(networkError());
    const headers = { 'idempotency-key': 'k' };
    await outcome(scene.fetch(A + PATH, { method: 'POST', body: 'order', headers }));
    expect(scene.origin.seen.map(({ url, body }) => [url, body])).toEqual([
      [A + PATH, 'order'],
      [B + PATH, 'order'],
    ]);
  });

  test('failover does not repeat a body that is too large to retain', async () => {
    const scene = scenario([over({ bodyLimit: 3 })]);
    scene.origin.replies(networkError());
    const request = new Request(A + PATH, { method: 'PUT', body: 'more than that' });
    // Firefox retains the whole body anyway.
    const once = request.body !== undefined;
    const end = await outcome(scene.fetch(request));
    expect(end).toEqual(once ? expect.objectContaining({ code: 'network' }) : 'ok');
    expect(scene.origin.seen.map(({ body }) => body)).toEqual(Array(once ? 1 : 2).fill('more than that'));
  });

  test('failover ends with the caller’s abort, or with the total time', async () => {
    const scene = scenario([totalTimeout('1s'), over()]);
    scene.origin.replies(hang());
    expect(await outcome(scene.fetch(A + PATH))).toMatchObject({ code: 'timeout-total' });
    const controller = new AbortController();
    const reason = new Error('enough');
    scene.origin.replies(hang());
    const result = outcome(scene.fetch(A + PATH, { signal: controller.signal }));
    controller.abort(reason);
    expect(await result).toBe(reason);
    expect(originsOf(scene).filter((each) => each !== A)).toEqual([]);
    expect(scene.clock.pending).toBe(0);
  });

  test.skipIf(!sendsStreams)(
    'failover gives the rejection of a write whose stream another policy has taken over',
    async () => {
      const circuits = breaker();
      circuits.isolate(A);
      const scene = scenario([over(), telemetry({ origins: [A, B, C] }), circuits]);
      const body = new Response('order').body;
      const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
      const given = await outcome(scene.fetch(A + PATH, init));
      // In Bun, a request that was made of another leaves it its body.
      if (given === 'ok') expect(scene.origin.seen).toMatchObject([{ url: B + PATH, body: 'order' }]);
      else expect(given).toBeInstanceOf(CircuitOpenError);
    },
  );

  test('failover: false and a URL of another origin make no failover', async () => {
    const scene = scenario([over()]);
    scene.origin.replies(status(503), status(503));
    await outcome(scene.fetch(A + PATH, { holdfast: { failover: false } }));
    await outcome(scene.fetch('https://other.example.com/'));
    expect(originsOf(scene)).toEqual([A, 'https://other.example.com']);
  });
});

describe('the choice of the origin', () => {
  test('calls stay with the origin that responded; later one call tries the first again', async () => {
    const scene = scenario([over({ stickyFor: '1m' })]);
    without(scene, A);
    await outcome(scene.fetch(A + PATH));
    await outcome(scene.fetch(A + PATH));
    expect(originsOf(scene)).toEqual([A, B, B]);
    await scene.clock.advance(60_000);
    scene.origin.seen.length = 0;
    await Promise.all([1, 2, 3].map(() => outcome(scene.fetch(A + PATH))));
    expect(originsOf(scene).sort()).toEqual([A, B, B, B]);
    await scene.clock.advance(60_000);
    without(scene);
    scene.origin.seen.length = 0;
    await outcome(scene.fetch(A + PATH));
    await outcome(scene.fetch(B + PATH));
    expect(originsOf(scene)).toEqual([A, A]);
  });

  test('a write that could not be repeated does not try the first origin again', async () => {
    const scene = scenario([over()]);
    without(scene, A);
    await outcome(scene.fetch(A + PATH));
    await scene.clock.advance(60_000);
    expect(await outcome(scene.fetch(A + PATH, { method: 'POST', body: 'order' }))).toBe('ok');
  });

  test('a body that can be read only once reaches the other origin whole', async () => {
    const scene = scenario([over()]);
    without(scene, A);
    await outcome(scene.fetch(A + PATH));
    const request = new Request(A + PATH, { method: 'POST', body: 'order' });
    expect(await outcome(scene.fetch(request))).toBe('ok');
    expect(scene.origin.seen.at(-1)).toMatchObject({ url: B + PATH, body: 'order' });
  });

  test('order: spread chooses one origin by chance, and clients differ', async () => {
    const begun = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const scene = scenario([over({ order: 'spread' })], { seed });
      for (let n = 0; n < 3; n++) await outcome(scene.fetch(A + PATH));
      expect(new Set(originsOf(scene)).size).toBe(1);
      begun.add(originsOf(scene)[0] as string);
    }
    expect([...begun].sort()).toEqual([A, B, C].sort());
  });
});

describe('credentials and failover', () => {
  const init: RequestInit = {
    headers: { authorization: 'secret', cookie: 'secret', 'proxy-authorization': 'secret', 'x-own': 'yes' },
    credentials: 'include',
  };

  async function requests(options: Partial<FailoverOptions>): Promise<Request[]> {
    const scene = scenario([over(options)]);
    const sent: Request[] = [];
    const fails: Step = (request) => {
      sent.push(request);
      throw networkError();
    };
    scene.origin.replies(fails, fails, fails);
    await outcome(scene.fetch(A + PATH, init));
    return sent;
  }

  test('credentials go to no other origin', async () => {
    const [own, ...others] = await requests({});
    expect(own?.headers.get('authorization')).toBe('secret');
    expect(others).toHaveLength(2);
    for (const { headers, credentials } of others) {
      for (const name of ['authorization', 'proxy-authorization', 'cookie'])
        expect(headers.has(name)).toBe(false);
      expect(headers.get('x-own')).toBe('yes');
      if (KEEPS_CREDENTIALS) expect(credentials).not.toBe('include');
    }
  });

  test('credentials go to the origins in credentialsFor', async () => {
    const [own, b, c] = await requests({ credentialsFor: [C] });
    expect(b?.headers.has('authorization')).toBe(false);
    expect(c?.headers.get('authorization')).toBe('secret');
    expect(c?.credentials).toBe(own?.credentials);
  });
});

test.each([
  [{}, /failover\.origins: undefined is not allowed; expected a list of origins/],
  [{ origins: A }, /failover\.origins: 'https:.*' is not allowed; expected a list of origins/],
  [{ origins: [A] }, /failover\.origins: .* expected at least two origins, each once/],
  [{ origins: [A, `${A}/`] }, /failover\.origins: .* expected at least two origins, each once/],
  [{ origins: [A, `${B}/v2`] }, /failover\.origins: 'https:.*v2' is not allowed; expected an origin such as/],
  [{ origins: [A, `${B}/?`] }, /failover\.origins: .* expected an origin such as/],
  [{ origins: [A, 'ftp://b.example.com'] }, /failover\.origins: 'ftp:.*' is not allowed; expected an origin/],
  [
    { origins: [A, B], order: 'random' },
    /failover\.order: 'random' is not allowed; expected one of ordered, spread/,
  ],
  [{ origins: [A, B], stickyFor: 0 }, /failover\.stickyFor: 0 is not allowed; expected a duration above 0/],
  [{ origins: [A, B], credentialsFor: ['*'] }, /failover\.credentialsFor: '\*' is not allowed/],
  [{ origins: [A, B], sticky: 1 }, /failover\.sticky: 1 is not allowed; unknown option/],
])('an impossible failover option throws an error with a reason: %j', (options, message) => {
  expect(() => failover(options as never)).toThrow(ConfigurationError);
  expect(() => failover(options as never)).toThrow(message);
});
