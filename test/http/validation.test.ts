import { describe, expect, test } from 'vitest';
import { compareWithHead, conditionsOf, mergeHeaders, validates } from '../../src/http/validation.ts';
import { AT, date } from './messages.ts';

type Fields = Record<string, string>;

const MODIFIED = date(AT);
const BOTH: Fields = { etag: '"a"', 'last-modified': MODIFIED };

describe('the request is', () => {
  test.each<[string, Fields, Fields]>([
    ['with the tag', { etag: '"a"' }, { 'if-none-match': '"a"' }],
    ['with a weak tag as it is', { etag: 'W/"a"' }, { 'if-none-match': 'W/"a"' }],
    ['with the date', { 'last-modified': MODIFIED }, { 'if-modified-since': MODIFIED }],
    ['with both', BOTH, { 'if-none-match': '"a"', 'if-modified-since': MODIFIED }],
    [
      'with a date in an old form as it is',
      { 'last-modified': 'Sun Nov  6 08:49:37 1994' },
      { 'if-modified-since': 'Sun Nov  6 08:49:37 1994' },
    ],
    ['without conditions where there is no validator', { date: MODIFIED }, {}],
    [
      'without a date that is none',
      { etag: '"a"', 'last-modified': 'yesterday' },
      { 'if-none-match': '"a"' },
    ],
    ['without an empty tag', { etag: '' }, {}],
  ])('%s', (_, stored, expected) => {
    expect(Object.fromEntries(conditionsOf(new Headers(stored)))).toEqual(expected);
  });
});

describe('a 304', () => {
  test.each<[string, Fields, Fields, readonly string[], boolean]>([
    ['with the same tag confirms', BOTH, { etag: '"a"' }, [], true],
    ['with the same tag, weak, confirms', BOTH, { etag: 'W/"a"' }, [], true],
    ['with the same tag, weak before, confirms', { etag: 'W/"a"' }, { etag: '"a"' }, [], true],
    ['with another tag does not', BOTH, { etag: '"b"' }, [], false],
    ['with another tag, weak, does not', { etag: 'W/"a"' }, { etag: 'W/"b"' }, [], false],
    ['with a tag where there was none does not', { 'last-modified': MODIFIED }, { etag: '"a"' }, [], false],
    ['with the same date confirms', BOTH, { 'last-modified': MODIFIED }, [], true],
    ['with another date does not', BOTH, { 'last-modified': date(AT + 1_000) }, [], false],
    [
      'with the same tag and another date confirms',
      BOTH,
      { etag: '"a"', 'last-modified': date(AT + 1_000) },
      [],
      true,
    ],
    ['that is bare confirms', BOTH, {}, [], true],
    ['of another type does not', { ...BOTH, 'content-type': 'a/a' }, { 'content-type': 'b/b' }, [], false],
    ['in another language does not', BOTH, { etag: '"a"', 'content-language': 'de' }, [], false],
    ['of another place does not', BOTH, { etag: '"a"', 'content-location': '/b' }, [], false],
    ['that varies as was known confirms', BOTH, { vary: 'Accept, X-A' }, ['x-a', 'accept', 'x-b'], true],
    ['that varies by what was not known does not', BOTH, { vary: 'accept, x-c' }, ['accept'], false],
    ['that varies by everything does not', BOTH, { vary: '*' }, ['accept'], false],
    ['that varies by what is no name does not', BOTH, { vary: 'accept language' }, ['accept'], false],
    ['that varies by credentials confirms', BOTH, { vary: 'Authorization' }, [], true],
  ])('%s', (_, stored, response, known, expected) => {
    expect(validates(new Headers(stored), new Headers(response), known)).toBe(expected);
  });
});

describe('the headers of a confirmed response', () => {
  const headerAfter = (stored: Fields, response: Fields): Fields =>
    Object.fromEntries(mergeHeaders(new Headers(stored), new Headers(response)));

  test('have the new fields, and those of both as in the 304', () => {
    const before = { ...BOTH, 'cache-control': 'max-age=1', 'x-a': 'old' };
    const response = { 'cache-control': 'max-age=2', 'x-b': 'new', expires: '0' };
    expect(headerAfter(before, response)).toEqual({ ...before, ...response });
  });

  test('have the Date and the Age of the 304, or none', () => {
    const before = { date: date(AT), age: '100' };
    const response = { date: date(AT + 5_000), age: '3' };
    expect(headerAfter(before, response)).toEqual(response);
    expect(headerAfter(before, {})).toEqual({});
  });

  test('describe the stored body', () => {
    const body = { 'content-length': '5', 'content-encoding': 'gzip' };
    const bodiless = { 'content-length': '0', 'content-encoding': 'br', 'content-range': 'bytes 0-1/2' };
    expect(headerAfter(body, bodiless)).toEqual(body);
    expect(headerAfter({}, bodiless)).toEqual({});
  });

  test('have no cookie, and no field about the connection or a proxy', () => {
    const response = new Headers({ connection: 'x-hop', 'x-hop': '1', 'proxy-authenticate': 'x', te: 'x' });
    response.append('set-cookie', 'session=secret');
    expect(mergeHeaders(new Headers(BOTH), response)).toEqual(Object.entries(BOTH));
  });
});

describe('the response to HEAD', () => {
  test.each<[string, Fields, Fields, 'same' | 'other' | 'nothing']>([
    ['with the same tag', BOTH, { etag: '"a"' }, 'same'],
    ['with the same tag, weak', BOTH, { etag: 'W/"a"' }, 'same'],
    ['with another tag', BOTH, { etag: '"b"' }, 'other'],
    ['with a tag where there was none', {}, { etag: '"a"' }, 'other'],
    ['with the same date', BOTH, { 'last-modified': MODIFIED }, 'same'],
    ['with another date', BOTH, { 'last-modified': date(AT + 1_000) }, 'other'],
    ['with the same tag and another date', BOTH, { etag: '"a"', 'last-modified': date(AT + 1_000) }, 'other'],
    [
      'with the same tag and length',
      { ...BOTH, 'content-length': '5' },
      { etag: '"a"', 'content-length': '5' },
      'same',
    ],
    [
      'with the same tag and another length',
      { ...BOTH, 'content-length': '5' },
      { etag: '"a"', 'content-length': '6' },
      'other',
    ],
    ['with another length alone', { 'content-length': '5' }, { 'content-length': '6' }, 'other'],
    [
      'with another length of what was coded',
      { 'content-encoding': 'gzip', 'content-length': '5' },
      { 'content-length': '6' },
      'nothing',
    ],
    ['that varies by what was not known', BOTH, { ...BOTH, vary: 'accept' }, 'nothing'],
    ['with none of them', BOTH, { 'cache-control': 'max-age=5' }, 'nothing'],
  ])('%s', (_, stored, head, expected) => {
    expect(compareWithHead(new Headers(stored), new Headers(head), [])).toBe(expected);
  });
});
