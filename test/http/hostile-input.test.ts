import { expect, test } from 'vitest';
import { multipart } from '../../src/core/body/request-body.ts';
import { asNetworkError, NetworkError } from '../../src/core/errors.ts';
import { cacheControl, isOwnValidation, parseRequestDirectives } from '../../src/http/cache-control.ts';
import { carriesCredentials, withoutCredentials } from '../../src/http/credentials.ts';
import { termsOf } from '../../src/http/freshness.ts';
import { isProblem, problemFrom } from '../../src/http/problem.ts';
import { quotaReset, rateLimitReset } from '../../src/http/rate-limit.ts';
import { httpDate, retryAfter } from '../../src/http/retry-after.ts';
import { isStorable, keptHeaders, minimumBodySize } from '../../src/http/storable.ts';
import { isStreaming } from '../../src/http/streaming.ts';
import { listOfItems } from '../../src/http/structured-fields.ts';
import { parseTraceparent } from '../../src/http/traceparent.ts';
import { compareWithHead, conditionsOf, mergeHeaders, validates } from '../../src/http/validation.ts';
import { matchesVary, varying, varyingNames } from '../../src/http/vary.ts';
import { optionsFromEnv } from '../../src/observability/env.ts';
import { redact, redactText, redactUrl } from '../../src/observability/log/redact.ts';
import { isSendable } from '../../src/policies/auth/schemes.ts';
import { invalidatedBy } from '../../src/policies/cache/origin-request.ts';
import { milliseconds } from '../../src/primitives/units.ts';

/** Headers in which every field has this value, also one that no platform would let through. */
const all = (text: string): Headers =>
  ({
    get: () => text,
    has: () => true,
    *[Symbol.iterator]() {
      yield ['connection', text];
      yield [text, text];
    },
  }) as unknown as Headers;

const URL_ = 'https://api.example.com/';
const responseOf = (text: string): Response =>
  ({ status: 200, type: 'basic', url: URL_, redirected: false, headers: all(text) }) as Response;
const requestOf = (text: string): Request =>
  ({ url: URL_, method: 'GET', cache: 'default', credentials: 'omit', headers: all(text) }) as Request;
const times = { requestedAt: 0, receivedAt: 0 };

const parsers: Record<string, (text: string) => unknown> = {
  cacheControl: (text) => cacheControl(all(text)),
  carriesCredentials,
  withoutCredentials,
  termsOf: (text) => termsOf(all(text), times, { status: 200, redirected: false }),
  invalidatedBy: (text) => invalidatedBy(requestOf(text), responseOf(text)),
  isProblem: (text) => isProblem(responseOf(text)),
  problemFrom: (text) => problemFrom({ title: text, type: text, status: text }),
  rateLimitReset: (text) => rateLimitReset(all(text), 0),
  quotaReset: (text) => quotaReset(all(text), 0),
  retryAfter: (text) => retryAfter(all(text), 0),
  httpDate: (text) => httpDate(text, 0),
  isStorable: (text) => isStorable(requestOf(text), responseOf(text)),
  keptHeaders: (text) => keptHeaders(all(text)),
  leastSize: (text) => minimumBodySize(responseOf(text)),
  isStreaming,
  listOfItems,
  parseTraceparent,
  conditionsOf: (text) => conditionsOf(all(text)),
  confirms: (text) => validates(all(text), all(text), ['accept']),
  freshened: (text) => {
    try {
      mergeHeaders(new Headers(), all(text));
    } catch {
      // The platform takes no such name.
    }
  },
  saidByHead: (text) => compareWithHead(all(text), all(text), ['accept']),
  varyingNames,
  varying: (text) => varying('accept, accept-language', requestOf(text), ['x-a']),
  variesLike: (text) => matchesVary([['accept-language', 'en']], requestOf(text)),
  wantedBy: (text) => parseRequestDirectives(requestOf(text)),
  isOwnValidation: (text) => isOwnValidation(requestOf(text)),
  isSendable,
  milliseconds: (text) => milliseconds(text, 'x'),
  multipart: (text) => multipart(new FormData(), `multipart/form-data; ${text}`),
  'form fields': (text) => {
    const form = new FormData();
    form.set(text, text);
    return multipart(form, 'multipart/form-data; boundary=x');
  },
  optionsFromEnv: (text) =>
    optionsFromEnv({ HOLDFAST_TIMEOUT: text, HOLDFAST_BASE_URL: text, [`HOLDFAST_${text}`]: '1' }),
  redactText,
  redactUrl,
  'redactUrl of a path': (text) => redactUrl(`https://api.example.com/${text}`),
  redact: (text) => redact({ [text]: text }),
  'the message of an error': (text) => asNetworkError(new TypeError(text)),
  'an error as JSON': (text) => new NetworkError(text, {}).toJSON(),
};

const UNITS = [
  ...[' ', '\t', ',', ';', '"', '\\', '=', '.', '-', '%', '/', ':', 'a', '0', '€', '\n', '?'],
  ...[
    ', ',
    'a,',
    'a=',
    'a="',
    'a=b,',
    'a="\\',
    '="\\",a',
    'a  =  ',
    ' , ,',
    '\\"',
    ';a=1',
    '"a"',
    '://',
    'a://',
    'a://a?',
    'eyJ-',
    'eyJaaaaa.',
    'Bearer ',
    'key=',
    '0.',
    'a.',
    'a-a',
    '%"',
  ],
];
const AROUND: [before: string, after: string][] = [
  ['', ''],
  ['"', ''],
  ['x="', ''],
  ['a=', '!'],
  ['1', '\u0000'],
  ['token="', 'x'],
];

const millisecondsOf = (parse: (text: string) => unknown, text: string): number => {
  const begin = performance.now();
  try {
    parse(text);
  } catch {
    // It refuses the text.
  }
  return performance.now() - begin;
};

/** Work that grows with the square takes 64 times as long here, each time; a busy machine does not, ten times. */
const isWorseThanLinear = (parse: (text: string) => unknown, make: (length: number) => string): boolean => {
  for (let time = 0; time < 10; time++) {
    const many = millisecondsOf(parse, make(64_000));
    if (many < 200 || many < 32 * millisecondsOf(parse, make(8_000))) return false;
  }
  return true;
};

test.each(Object.entries(parsers))('%s takes linear time for hostile input', (_, parse) => {
  for (const unit of UNITS)
    for (const [before, after] of AROUND) {
      const make = (length: number): string => before + unit.repeat(length / unit.length) + after;
      if (isWorseThanLinear(parse, make)) throw new Error(JSON.stringify([before, unit, after]));
    }
});

test('a RateLimit field of more than 1,000 characters is ignored', () => {
  const limited = (pad: number): Headers => new Headers({ ratelimit: `"a";r=0;t=5;x="${'x'.repeat(pad)}"` });
  expect(quotaReset(limited(100), 0)).toBe(5_000);
  expect(quotaReset(limited(1_000), 0)).toBeUndefined();
});
