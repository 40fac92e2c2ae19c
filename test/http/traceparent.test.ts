import { describe, expect, test } from 'vitest';
import { formatTraceparent, parseTraceparent, randomHex } from '../../src/http/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

describe('a traceparent', () => {
  test.each<[string, boolean]>([
    [`00-${TRACE}-${PARENT}-01`, true],
    [`00-${TRACE}-${PARENT}-00`, false],
    [`00-${TRACE}-${PARENT}-03`, true],
    [` 00-${TRACE}-${PARENT}-01 `, true],
    [`cc-${TRACE}-${PARENT}-01`, true],
    [`cc-${TRACE}-${PARENT}-01-what-the-future-brings`, true],
  ])('is read: %s', (header, sampled) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE, parentId: PARENT, sampled });
  });

  test.each([
    undefined,
    null,
    '',
    'garbage',
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}${PARENT}-01`,
    `0-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01.`,
    `cc-${TRACE}-${PARENT}-01x`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    'x'.repeat(100_000),
  ])('that is malformed is none: %#', (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  test('is written as it is read', () => {
    const header = `00-${TRACE}-${PARENT}-01`;
    expect(formatTraceparent(parseTraceparent(header) as never)).toBe(header);
  });
});

test.each([0, 0.5, 1 - 2 ** -53])('an id is hexadecimal, and never nothing but 0: %f', (chance) => {
  for (const digits of [16, 32]) {
    const id = randomHex(digits, () => chance);
    expect(id).toMatch(new RegExp(`^[0-9a-f]{${digits}}$`));
    expect(id).not.toMatch(/^0+$/);
  }
});
