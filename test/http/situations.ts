import fc from 'fast-check';
import { AT } from './messages.ts';
import type { Situation } from './model.ts';

/** Of all random cases here. */
export const SEED = 20_261_121;

const DAYS = ['Sun', 'Mon', 'Tues', 'Wednes', 'Thurs', 'Fri', 'Satur'];

/** RFC 9110, 5.6.7: the three forms of a date. */
const forms: ((at: Date) => string)[] = [
  (at) => at.toUTCString(),
  (at) => at.toUTCString().toLowerCase(),
  (at) => {
    const [, day, month, year, time] = at.toUTCString().split(' ');
    return `${DAYS[at.getUTCDay()]}day, ${day}-${month}-${year?.slice(2)} ${time} GMT`;
  },
  (at) => {
    const [weekday, , month, year, time] = at.toUTCString().split(' ');
    return `${weekday?.slice(0, 3)} ${month} ${String(at.getUTCDate()).padStart(2)} ${time} ${year}`;
  },
];

const seconds = fc.oneof(
  fc.constantFrom(0, 1, 2, 5, 10, 60, 61, 3_600, 86_400, 604_800, 864_000, 2_000_000),
  fc.nat(200),
);

const instant = fc
  .tuple(seconds, fc.constantFrom(-1, 1), fc.constantFrom(...forms))
  .map(([offset, sign, form]) => form(new Date(AT + sign * offset * 1000)));

const NO_DATES = [
  '0',
  '-1',
  '',
  'soon',
  '2026-01-01',
  'Thu, 01 Jan 2026 00:00:00',
  `${new Date(AT).toUTCString()}+1`,
];

const day = fc.oneof(
  { weight: 6, arbitrary: instant },
  { weight: 1, arbitrary: fc.constantFrom(...NO_DATES) },
);

const number = seconds.map(String);
const argument = fc.oneof(
  { weight: 8, arbitrary: number.map((text) => `=${text}`) },
  { weight: 2, arbitrary: number.map((text) => `="${text}"`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', '=', '=-1', '=1e9', '="x, y"', '=99999999999999', '="a\\"b"', '=1.5'),
  },
);

const RESPONSE = ['max-age', 'max-age', 'stale-if-error', 'stale-while-revalidate', 's-maxage', 'x-max-age'];
const FLAGS = ['must-revalidate', 'immutable', 'public', 'private', 'proxy-revalidate', 'no-transform'];
const NO_CACHE = ['no-cache', 'no-cache="set-cookie"', 'no-cache="Set-Cookie"', 'no-cache="x-a"', 'No-Cache'];

const inAnyCase = (text: string): fc.Arbitrary<string> => fc.constantFrom(text, text, text.toUpperCase());

const withArgument = (names: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(...names).chain(inAnyCase), argument).map(([name, value]) => name + value);

const directives = (...kinds: fc.WeightedArbitrary<string>[]): fc.Arbitrary<string> =>
  fc
    .tuple(fc.array(fc.oneof(...kinds), { maxLength: 4 }), fc.constantFrom(',', ', ', ' , ', ',,'))
    .map(([all, between]) => all.join(between));

const said = directives(
  { weight: 6, arbitrary: withArgument(RESPONSE) },
  { weight: 2, arbitrary: fc.constantFrom(...FLAGS) },
  { weight: 1, arbitrary: fc.constantFrom(...NO_CACHE) },
);

const asked = directives(
  { weight: 8, arbitrary: withArgument(['max-age', 'min-fresh', 'max-stale', 'stale-if-error']) },
  { weight: 2, arbitrary: fc.constantFrom('max-stale', 'immutable', 'no-transform') },
  { weight: 1, arbitrary: fc.constantFrom('no-cache', 'NO-CACHE', 'no-cache=x') },
);

const named = (name: string, value: fc.Arbitrary<string>, weight: number): fc.Arbitrary<[string, string][]> =>
  fc.oneof(
    { weight: 10 - weight, arbitrary: fc.constant<[string, string][]>([]) },
    { weight, arbitrary: value.map((text): [string, string][] => [[name, text]]) },
  );

const ages = fc.oneof(number, fc.constantFrom('5, 700', '-5', '1.5', 'x', '', '99999999999999'));

const headersOf = (...fields: fc.Arbitrary<[string, string][]>[]): fc.Arbitrary<[string, string][]> =>
  fc.tuple(...fields).map((all) => all.flat());

/** Copies, requests and times of every kind, most of them near the moment at which something changes. */
export const situation: fc.Arbitrary<Situation> = fc.record({
  stored: fc.record({
    status: fc.constantFrom(200, 200, 200, 203, 204, 301, 302, 404, 410, 503),
    redirected: fc.constantFrom(false, false, false, false, false, true),
    headers: headersOf(
      named('cache-control', said, 7),
      named('Cache-Control', said, 1),
      named('date', day, 5),
      named('age', ages, 3),
      named('expires', day, 4),
      named('Expires', day, 1),
      named('last-modified', day, 4),
      named('pragma', fc.constant('no-cache'), 1),
    ),
    requestedAt: fc.constantFrom(AT, AT, AT - 1_000, AT - 60_000, AT + 3_600_000),
    receivedAt: fc.constant(AT),
  }),
  request: fc.record({
    headers: headersOf(
      named('cache-control', asked, 4),
      named('pragma', fc.constantFrom('no-cache', 'x', 'No-Cache'), 1),
    ),
    cache: fc.constantFrom<RequestCache>(
      ...(['default', 'default', 'default', 'default', 'default', 'default'] as const),
      ...(['no-cache', 'reload', 'force-cache', 'only-if-cached'] as const),
    ),
  }),
  now: fc.oneof(seconds, fc.constant(-3_600)).map((passed) => AT + passed * 1000),
  allowed: fc.record({
    maxStale: fc.constantFrom(0, 60_000, 604_800_000),
    whileRevalidating: fc.constantFrom(0, 0, 60_000),
    disregard: fc.subarray<'no-cache' | 'must-revalidate'>(['no-cache', 'must-revalidate']),
  }),
  unconfirmed: fc.constantFrom(false, false, false, true),
  invalidated: fc.constantFrom(false, false, false, true),
});

const VALUES = [
  '',
  'de',
  'DE',
  'de,en',
  'de , en',
  'de,  en',
  'de, en',
  'de;q=0.5',
  '"a, b"',
  '"a,b"',
  'en,de',
];
const NAMES = ['accept-language', 'accept-encoding', 'x-a', 'x-b', 'authorization', 'cookie'];

const sent = headersOf(...NAMES.map((name) => named(name, fc.constantFrom(...VALUES), 6)));

const vary = fc.option(
  fc
    .tuple(
      fc.array(fc.constantFrom(...NAMES).chain(inAnyCase), { maxLength: 4 }),
      fc.constantFrom(',', ', ', ' ,', ',,'),
    )
    .map(([names, between]) => names.join(between)),
  { nil: undefined },
);

/** The variants of one URL, each with the headers that it was asked for with, and requests. */
export const variants = fc.record({
  stored: fc.array(fc.record({ vary, headers: sent }), { minLength: 1, maxLength: 6 }),
  requests: fc.array(sent, { minLength: 1, maxLength: 6 }),
});
