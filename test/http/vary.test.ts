import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesVary, varying, varyingNames } from '../../src/http/vary.ts';
import { requestOf } from './messages.ts';
import { modelOfVary } from './model.ts';
import { SEED, variants } from './situations.ts';

const asking = (headers: HeadersInit) => requestOf({ headers });

/** Whether the response to one request may serve the other. */
const matches = (vary: string, one: HeadersInit, other: HeadersInit): boolean =>
  matchesVary(varying(vary, asking(one)), asking(other));

describe('Vary', () => {
  test('matches in any order and with any white space', () => {
    const stored = varying(' Accept-Language , X-B,x-b', asking({ 'accept-language': 'de,  en' }));
    expect(stored).toEqual([
      ['accept-language', 'de, en'],
      ['x-b', null],
    ]);
    expect(matchesVary(stored, asking({ 'accept-language': 'de , en' }))).toBe(true);
    expect(matchesVary(stored, asking({ 'accept-language': 'en' }))).toBe(false);
    expect(matchesVary(stored, asking({ 'accept-language': 'de, en', 'x-b': '' }))).toBe(false);
    expect(matchesVary(varying(null, asking({})), asking({ any: 'thing' }))).toBe(true);
  });

  test.each<[string, string, HeadersInit, HeadersInit, boolean]>([
    ['a field that is absent matches one that is absent', 'x-a', {}, {}, true],
    ['a field that is absent matches no empty one', 'x-a', {}, { 'x-a': '' }, false],
    ['white space between members says nothing', 'x-a', { 'x-a': 'a,b' }, { 'x-a': 'a ,  b' }, true],
    ['white space within a member says something', 'x-a', { 'x-a': 'a b' }, { 'x-a': 'a  b' }, false],
    ['white space in quotes says something', 'x-a', { 'x-a': '"a,b"' }, { 'x-a': '"a, b"' }, false],
    ['the order of members says something', 'x-a', { 'x-a': 'a, b' }, { 'x-a': 'b, a' }, false],
    ['case says something', 'x-a', { 'x-a': 'a' }, { 'x-a': 'A' }, false],
    [
      'case of languages says nothing',
      'accept-language',
      { 'accept-language': 'de-AT' },
      { 'accept-language': 'de-at' },
      true,
    ],
    [
      'case of codings says nothing',
      'accept-encoding',
      { 'accept-encoding': 'GZip' },
      { 'accept-encoding': 'gzip' },
      true,
    ],
    [
      'case of charsets says nothing',
      'accept-charset',
      { 'accept-charset': 'UTF-8' },
      { 'accept-charset': 'utf-8' },
      true,
    ],
    ['case of types says something', 'accept', { accept: 'text/HTML' }, { accept: 'text/html' }, false],
    [
      'all that it names has to match',
      'x-a, x-b',
      { 'x-a': '1', 'x-b': '1' },
      { 'x-a': '1', 'x-b': '2' },
      false,
    ],
    ['what it does not name need not', 'x-a', { 'x-b': '1' }, { 'x-b': '2' }, true],
    [
      'credentials are the matter of partitions',
      'Authorization, Cookie',
      { authorization: 'a' },
      { authorization: 'b' },
      true,
    ],
  ])('%s', (_, vary, one, other, expected) => {
    expect(matches(vary, one, other)).toBe(expected);
    expect(matches(vary, other, one)).toBe(expected);
  });

  test('several lines of a field are one', () => {
    const lines: [string, string][] = [
      ['x-a', '1'],
      ['X-A', '2'],
    ];
    expect(matches('x-a', lines, { 'x-a': '1,2' })).toBe(true);
  });

  test('the application’s vary option counts as well', () => {
    const stored = varying('x-a', asking({ 'x-a': '1', 'x-b': '2' }), ['x-b']);
    expect(stored).toEqual([
      ['x-a', '1'],
      ['x-b', '2'],
    ]);
    expect(matchesVary(stored, asking({ 'x-a': '1' }))).toBe(false);
  });

  test('names come once, in order and in lower case', () => {
    expect(varyingNames('X-B,, x-a , x-b', ['x-c', 'x-a'])).toEqual(['x-a', 'x-b', 'x-c']);
    expect(varyingNames(null)).toEqual([]);
  });

  test('a request without credentials is served as that of a stranger', () => {
    const stranger = requestOf({ credentials: 'omit' });
    const known = requestOf({ credentials: 'include' });
    expect(matchesVary(varying(null, stranger), stranger)).toBe(true);
    expect(matchesVary(varying(null, stranger), known)).toBe(false);
    expect(matchesVary(varying(null, known), stranger)).toBe(false);
    // In a page they go to its own origin only.
    const ours = requestOf({ credentials: 'same-origin' });
    expect(matchesVary(varying(null, ours), known)).toBe(!globalThis.location);
  });

  test.each(['accept language', '"accept"', 'accept; q=1', 'x-a, (b)'])(
    'that names no field fails nothing: %s',
    (vary) => {
      const stored = varying(vary, asking({ accept: 'x' }));
      expect(() => matchesVary(stored, asking({}))).not.toThrow();
    },
  );
});

const CASES = 2_000;

test(`${CASES} random sets of variants are selected from as by a model of the RFC (seed ${SEED})`, () => {
  const property = fc.property(variants, ({ stored, requests }) => {
    for (const request of requests) {
      const chosen = stored.map(({ vary, headers }) =>
        matchesVary(varying(vary ?? null, asking(headers)), asking(request)),
      );
      expect(chosen).toEqual(stored.map(({ vary, headers }) => modelOfVary(vary, headers, request)));
    }
  });
  fc.assert(property, { numRuns: CASES, seed: SEED });
});
