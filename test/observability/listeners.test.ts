import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { NetworkError } from '../../src/core/errors.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import { consoleListener, jsonLines, listeners, sampled } from '../../src/observability/log/listeners.ts';
import { recordOf } from '../../src/observability/log/record.ts';
import { redact, redactText, redactUrl } from '../../src/observability/log/redact.ts';
import { metrics } from '../../src/observability/metrics/metrics.ts';
import { HoldfastError } from '../../src/primitives/failure.ts';
import { status } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';

const ORIGIN = 'https://api.example.com';
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2VjcmV0LXNpZ25hdHVyZQ';

/** Names that show a secret, and names that hide it. */
const NAMES = [
  'password', 'Passwd', 'userPassword', 'pwd', 'secret', 'client_secret', 'clientSecret', 'token', 'access_token',
  'refreshToken', 'id_token', 'X-Api-Key', 'apikey', 'api-key', 'Authorization', 'Proxy-Authorization', 'x-auth',
  'Cookie', 'Set-Cookie', 'sessionid', 'PHPSESSION', 'csrf', 'XSRF-TOKEN', 'signature', 'X-Amz-Signature', 'sig', 'jwt',
  'otp', 'pin', 'cvv', 'card_number', 'iban', 'code', 'private_key', 'credentials', 'ｐａｓｓｗｏｒｄ', 'PASSWORD ',
  'sid', 'connect.sid', 'PHPSESSID', 'subscription-key', 'x-functions-key', 'ticket', 'auth_code', 'code_verifier', 'hmac',
  'dsn', 'key', 'password_confirmation', 'passwordHash', 'pass\u200Bword', 'encryptionKey', 'signing_key',
]; // biome-ignore format: a list

const VALUES = [
  JWT,
  `Bearer ${JWT}`,
  'Basic dXNlcjpwYXNzd29yZA==',
  'sk_live_51H8xSECRET00000',
  'sk-proj-SECRETsecretSECRETsecret',
  'ghp_SECRETsecret1234567890SECRETsecret12',
  'AKIAIOSFODNN7EXAMPLE',
  'xoxb-1234567890-SECRET',
  '-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----',
  '4111 1111 1111 1111',
  '3782 822463 10005',
  'whsec_SECRETsecret0000',
  '-----BEGIN PGP MESSAGE-----\nSECRETsecretSECRET\n-----END PGP MESSAGE-----',
]; // biome-ignore format: a list

const call = { callId: 'c1', origin: ORIGIN, method: 'GET' } as const;
const ended = (more: object = {}): HoldfastEvent =>
  ({
    type: 'call-ended',
    ...call,
    at: 1,
    duration: 34.4,
    attempts: [{}],
    status: 200,
    source: 'network',
    ...more,
  }) as never;

describe('events and records contain no secret', () => {
  test.each(NAMES)('redaction removes a secret under a name such as %s', (name) => {
    expect(
      JSON.stringify(redact({ [name]: 'hunter2', list: [{ [name]: { deep: 'hunter2' } }] })),
    ).not.toContain('hunter2');
    expect(redactUrl(`${ORIGIN}/a?${encodeURIComponent(name)}=hunter2#${name}=hunter2`)).toBe(
      `${ORIGIN}/a?…#…`,
    );
    if (/^[\w.-]+$/.test(name))
      expect(redactText(`it said ${name}=hunter2, and "${name}": "hunter2"`)).not.toContain('hunter2');
  });

  test.each(VALUES)('redaction removes a secret that looks like %s', (value) => {
    const logged = JSON.stringify([
      redact({ harmless: value, [value]: 1 }),
      redactText(`failed with ${value} twice: ${value}`),
    ]);
    for (const part of value
      .split(/[\s.\n]/)
      .filter((each) => each.length > 11 && !/^-|BEGIN|PRIVATE/.test(each)))
      expect(logged).not.toContain(part);
  });

  test.each([
    [`https://user:pass@api.example.com/a`, `${ORIGIN}/a`],
    [`${ORIGIN}/reset/${JWT}`, `${ORIGIN}/reset/…`],
    [`${ORIGIN}/invite/8f14e45fceea167a5a36dedd4bea2543abc`, `${ORIGIN}/invite/…`],
    [
      `${ORIGIN}/orders/7c9e6679-7425-40de-944b-e07fc1f90ae7/items`,
      `${ORIGIN}/orders/7c9e6679-7425-40de-944b-e07fc1f90ae7/items`,
    ],
    [`${ORIGIN}/very-long-but-harmless-words/in-a-path`, `${ORIGIN}/very-long-but-harmless-words/in-a-path`],
    [`${ORIGIN}/?a=1&b=2`, `${ORIGIN}/?…`],
    ['data:text/plain,secret', 'data:…'],
    [`${ORIGIN}/reset/hunter2`, `${ORIGIN}/reset/…`],
    [`${ORIGIN}/a;token=hunter2/b`, `${ORIGIN}/a;token=…/b`],
    [`${ORIGIN}/a;%74oken=hunter2/b`, `${ORIGIN}/a;token=…/b`],
    [`${ORIGIN}/a;token%3Dhunter2/b`, `${ORIGIN}/a;token=…/b`],
    ['not a url?token=secret', 'not a url…'],
  ])('redactUrl removes the secrets of a URL: %s', (url, logged) => {
    expect(redactUrl(url)).toBe(logged);
  });

  test.each([
    'password="correct hunter2 staple"',
    '{"password":"a \\" hunter2"}',
    "password='it\\'s hunter2'",
    '{\\"password\\":\\"hunter2\\"}',
    'user[password]=hunter2&x=1',
    'user%5Bpassword%5D=hunter2',
    'Cookie: theme=dark; sid=hunter2',
    'Authorization: ApiKey hunter2',
    '"authorization": "ApiKey hunter2"',
  ])('redaction removes a secret in any notation: %s', (text) => {
    expect(redactText(`failed with ${text}`)).not.toContain('hunter2');
  });

  test('redaction removes a secret from an object with a name and a value', () => {
    expect(redact([{ name: 'token', value: 'hunter2' }, { name: 'page', value: '2' }])).toEqual([
      { name: 'token', value: '…' },
      { name: 'page', value: '2' },
    ]); // biome-ignore format: as forms are
  });

  test('redaction removes a secret from a list of headers', () => {
    expect(redact([['x-api-key', 'hunter2'], ['accept', 'text/html']])).toEqual([
      ['x-api-key', '…'],
      ['accept', 'text/html'],
    ]); // biome-ignore format: as headers are
  });

  test.each(['the option is on: yes', 'passenger: Ann', 'a total of 5 items = 10 EUR'])(
    'redaction leaves what is no secret: %s',
    (text) => {
      expect(redactText(text)).toBe(text);
    },
  );

  test('redaction ends on an object that contains itself', () => {
    const all: Record<string, unknown>[] = Array.from({ length: 40 }, () => ({}));
    for (const each of all) for (const [nth, other] of all.entries()) each[`n${nth}`] = other;
    expect(JSON.stringify(redact(all)).length).toBeLessThan(100_000);
  });

  test('redaction withstands hostile objects', () => {
    const loop: Record<string, unknown> = { a: 1 };
    loop.self = loop;
    const hostile = new Proxy({}, { ownKeys: () => { throw new Error(JWT); } }); // biome-ignore format: short
    const getter = { get value(): string { throw new Error(JWT); } }; // biome-ignore format: short
    const huge = { text: 'x'.repeat(1e6), list: new Array(1e5).fill('y') };
    for (const value of [
      loop,
      hostile,
      getter,
      huge,
      () => JWT,
      Symbol('s'),
      10n,
      new Uint8Array(9),
      new Map([['token', 'x']]),
    ])
      expect(JSON.stringify(redact(value))?.length ?? 0).toBeLessThan(20_000);
    expect(redact(new Map([['token', 'hunter2']]))).toEqual({ token: '…' });
    expect(redactText('a='.repeat(50_000)).length).toBeGreaterThan(0);
  });

  test('no event contains a secret', () => {
    const secret = 'hunter2-s3cr3t';
    const error = new NetworkError(
      `GET https://u:${secret}@api.example.com/?token=${secret} failed: password=${secret}`,
      {},
    );
    const foreign = Object.assign(new Error(secret), { headers: { authorization: secret }, body: secret });
    const events = [
      { type: 'call-started', ...call, url: `https://u:${secret}@api.example.com/a?token=${secret}`, at: 1 },
      ended({ error, status: undefined }),
      ended({ error: foreign }),
      ended({ error: secret }),
      { type: 'retry', ...call, attempt: 1, delay: 5, cause: foreign },
      { type: 'fallback', ...call, cause: status(503) },
      { type: 'cache-updated', url: `${ORIGIN}/?key=${secret}` },
      { type: 'finished', id: 'i', origin: ORIGIN, lane: 'l', outcome: 'delivered', meta: { note: secret } },
      { type: 'cache-deleted', partition: secret, entries: 1 },
      {
        type: 'store-failed',
        store: 's',
        operation: 'o',
        error: new HoldfastError(`token: ${secret}`, { code: 'x', category: 'storage' }),
      },
    ] as HoldfastEvent[];
    for (const event of events) {
      const record = recordOf(event, 0);
      expect(JSON.stringify(record)).not.toContain(secret);
      expect(JSON.parse(JSON.stringify(record))).toMatchObject({
        type: event.type,
        time: '1970-01-01T00:00:00.000Z',
      });
    }
  });
});

describe('a log record', () => {
  test('a log record has the event, its place, time and severity', () => {
    expect(recordOf(ended({ status: 503, operation: 'list' }), 0)).toMatchObject({
      severity: 'unexpected',
      type: 'call-ended',
      callId: 'c1',
      origin: ORIGIN,
      operation: 'list',
      status: 503,
      duration: 34.4,
    });
    expect(recordOf(ended({ error: new NetworkError('refused', {}), status: undefined }), 0)).toMatchObject({
      error: { code: 'network', category: 'network', transient: true, message: 'refused' },
    });
  });

  test('a log record of an attempt has the code of its failure', () => {
    const event = {
      type: 'attempt-ended',
      callId: 'c1',
      origin: ORIGIN,
      attempt: 1,
      startedAt: 0,
      duration: 5,
    } as const;
    expect(recordOf({ ...event, error: 'timeout-attempt' }, 0)).toMatchObject({
      error: { code: 'timeout-attempt' },
    });
  });

  const refused = new NetworkError('refused', {});
  const error = {
    name: 'TypeError',
    code: 'network',
    category: 'network',
    transient: true,
    message: 'refused',
  };
  const server = { status: 503, category: 'server' };
  const entry = { id: 'i', lane: 'l', at: 1 };
  test.each([
    ['the status of a response', { type: 'retry', attempt: 1, delay: 5, cause: 503 }, server],
    ['an error', { type: 'retry', attempt: 1, delay: 5, cause: refused }, error],
    ['a status, before another origin', { type: 'failover', to: ORIGIN, cause: 503 }, server],
    [
      'a status, before a response of its own',
      { type: 'fallback', cause: 404 },
      { status: 404, category: 'client' },
    ],
    ['a status that is no failure', { type: 'fallback', cause: 304 }, { status: 304 }],
    [
      'a status, before a cached response',
      { type: 'cache-served', source: 'stale', age: 1, cause: 503 },
      server,
    ],
    ['no response in time', { type: 'cache-served', source: 'stale', age: 1, cause: 'silence' }, 'silence'],
    [
      'an entry that waits',
      { type: 'postponed', ...entry, cause: { code: 'http', status: 503, problem: { detail: 'theirs' } } },
      { code: 'http', ...server },
    ],
    [
      'an entry that an open circuit delays',
      { type: 'postponed', ...entry, cause: { code: 'circuit-open', message: 'theirs' } },
      { code: 'circuit-open' },
    ],
    [
      'a thrown string',
      { type: 'retry', attempt: 1, delay: 5, cause: 'theirs' },
      { name: 'string', category: 'unknown' },
    ],
  ])('a log record names the cause: %s', (_, event, cause) => {
    const record = recordOf({ ...call, ...event } as never, 0);
    expect(record.cause).toEqual(cause);
    expect(JSON.stringify(record)).not.toContain('theirs');
  });
});

describe('JSON lines', () => {
  test('jsonLines has one line per event, and writes those of one step together', async () => {
    const written: string[] = [];
    const listener = jsonLines({ write: (lines) => void written.push(lines) });
    listener(ended());
    listener(ended({ callId: 'c2' }));
    await quiet();
    expect(written).toHaveLength(1);
    expect(
      (written[0] as string)
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).callId),
    ).toEqual(['c1', 'c2']);
  });

  test('jsonLines leaves out events below the level', async () => {
    const written: string[] = [];
    const listener = jsonLines({ level: 'unexpected', write: (lines) => void written.push(lines) });
    listener(ended());
    listener(ended({ status: 500 }));
    await quiet();
    expect(written.join('').match(/"status":500/g)).toHaveLength(1);
  });

  test('jsonLines waits for a slow writer, drops events above the limit, and says how many', async () => {
    const written: string[] = [];
    let go = (): void => {};
    const listener = jsonLines({
      most: 10,
      write(lines) {
        written.push(lines);
        return new Promise<void>((resolve) => {
          go = resolve;
        });
      },
    });
    listener(ended());
    await quiet();
    for (let nth = 0; nth < 100; nth++) listener(ended());
    go();
    await quiet();
    expect(written).toHaveLength(2);
    const lines = (written[1] as string)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(11);
    expect(lines[10]).toMatchObject({ type: 'dropped', count: 90 });
  });

  test('jsonLines leaves out a record that cannot be written, and writes the next', async () => {
    const written: string[] = [];
    let broken = true;
    const listener = jsonLines({
      write(lines) {
        if (broken) throw new Error('disk full');
        written.push(lines);
      },
    });
    listener(ended());
    await quiet();
    broken = false;
    listener(ended());
    await quiet();
    expect(written).toHaveLength(1);
  });
});

describe('the console', () => {
  test('the console prints one line per call, with the decisions on the way', async () => {
    const lines: string[] = [];
    const out = Object.fromEntries(
      ['debug', 'warn', 'error'].map((level) => [level, (text: string) => lines.push(`${level}: ${text}`)]),
    );
    const responses = [status(503), status(200)];
    const api = createFetch({
      fetch: async () => responses.shift() ?? status(404),
      onEvent: consoleListener({ console: out as never }),
      retry: { delay: () => 0 },
    });
    await api(`${ORIGIN}/orders?token=hunter2`);
    await api(`${ORIGIN}/other`, { method: 'POST' });
    expect(lines[0]).toMatch(
      /^warn: holdfast {2}GET https:\/\/api\.example\.com\/orders\?… retry .*delay=\d.* cause={"status":503,"category":"server"}$/,
    );
    expect(lines[1]).toMatch(
      /^debug: holdfast {2}GET https:\/\/api\.example\.com\/orders\?… 200 in \d+ ms, 2 attempts$/,
    );
    expect(lines[2]).toMatch(/^debug: holdfast {2}POST https:\/\/api\.example\.com\/other 404 in \d+ ms$/);
    expect(lines.join()).not.toContain('hunter2');
    await api.close();
  });
});

describe('several listeners', () => {
  test('every listener receives the event, even if one throws', async () => {
    const received: string[] = [];
    const receive = listeners(
      () => {
        throw new Error('mine');
      },
      () => Promise.reject(new Error('mine, too')),
      ({ type }) => received.push(type),
    );
    receive(ended());
    await quiet();
    expect(received).toEqual(['call-ended']);
  });

  test('listeners throws if one is no function', () => {
    expect(() => listeners(() => {}, metrics() as never)).toThrow(/listeners: \{ receive: .* a function/);
  });

  test('a sampling listener receives a share of the calls, whole, and every unexpected event', () => {
    const received = new Map<string, number>();
    const listener = sampled(0.2, (event) => {
      const { callId } = event as { callId: string };
      received.set(callId, (received.get(callId) ?? 0) + 1);
    });
    for (let nth = 0; nth < 2_000; nth++) {
      const callId = `abcdefgh-${nth}`;
      listener({ type: 'call-started', ...call, callId, url: ORIGIN, at: 1 });
      listener(ended({ callId }));
    }
    expect(received.size).toBeGreaterThan(300);
    expect(received.size).toBeLessThan(500);
    expect([...received.values()].every((times) => times === 2)).toBe(true);
    listener(ended({ callId: 'broken', status: 500 }));
    expect(received.get('broken')).toBe(1);
    expect(() => sampled(20, () => {})).toThrow(/sampled\.share: 20 .* 0 to 1/);
    expect(() => sampled(1, undefined as never)).toThrow(/sampled\.listener: undefined .* a function/);
  });
});

test('listeners receive ten thousand events in a moment', () => {
  const listener = jsonLines({ write: () => {}, most: 100 });
  for (let nth = 0; nth < 10_000; nth++) listener(ended({ callId: `c${nth}` }));
});

test('redaction of a URL does not end at a bracket or a quote', () => {
  for (const sign of [')', "'", '"', ']', '>'])
    expect(
      redactText(`fetch of https://api.example.com/a?f=(${sign}&mail=ann@example.com&k=S3CR3T failed`),
    ).toBe('fetch of https://api.example.com/a?… failed');
  expect(redactText('(https://api.example.com/a)')).toBe('(https://api.example.com/a)');
});
