import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { originUrl, otherOriginUrl } from '../support/origin-url.ts';

class Special extends Error {
  override name = 'Special';
}

describe('smoke', () => {
  const log: string[] = [];
  beforeAll(() => void log.push('beforeAll'));
  beforeEach(() => void log.push('outer'));
  afterEach(() => void log.push('after'));
  afterAll(() => expect(log.length).toBeGreaterThan(10));

  describe('nested', () => {
    beforeEach(() => void log.push('inner'));
    test('hooks run outside in', () => {
      expect(log.slice(0, 3)).toEqual(['beforeAll', 'outer', 'inner']);
    });
  });

  test('fetches', async () => {
    const response = await fetch(`${originUrl()}/hello`);
    expect(response.status).toBeTypeOf('number');
    await response.text();
    expect(originUrl()).not.toBe(otherOriginUrl());
    await (await fetch(otherOriginUrl())).text();
  });

  test('matches', async () => {
    await expect(Promise.reject(new Special('no'))).rejects.toThrow(Special);
    await expect(Promise.reject(new Special('no'))).rejects.toMatchObject({ name: 'Special', message: 'no' });
    await expect(Promise.resolve(1)).resolves.toBe(1);
    expect(() => {
      throw new Special('message');
    }).toThrow('mess');
    expect(() => {
      throw new Special('message');
    }).toThrow(/mess/);
    expect({ a: { b: 1, c: 2 } }).toMatchObject({ a: { b: 1 } });
    expect({ a: 1 }).toEqual({ a: expect.any(Number) });
    expect([1, 2]).toContain(2);
    expect([{ a: 1 }]).toContainEqual({ a: 1 });
    expect(new Special('x')).toBeInstanceOf(Special);
    expect({ a: 1, b: 2 }).toEqual(expect.objectContaining({ a: 1 }));
    expect({ a: undefined }).not.toStrictEqual({});
    expect(0.1 + 0.2).toBeCloseTo(0.3);
    expect('abc').toMatch(/b/);
    expect([1]).toHaveLength(1);
    expect({ a: { b: 1 } }).toHaveProperty('a.b', 1);
    expect(systemClock.now()).toBeGreaterThan(0);
    expect.assertions(17);
  });

  test.each([
    [1, 2, 3],
    [2, 3, 5],
  ])('%i + %i is %i', (a, b, sum) => expect(a + b).toBe(sum));
  test.each([{ name: 'one', value: 1 }])('$name is $value', ({ value }) => expect(value).toBe(1));
  test.each(['a', 'b'])('letter %s', (letter) => expect(letter).toHaveLength(1));
  describe.each([1, 2])('number %d', (n) => {
    test('is', () => expect(n).toBeGreaterThan(0));
  });
  test.skipIf(typeof indexedDB === 'undefined')('has IndexedDB', async () => {
    const request = indexedDB.open('smoke');
    await new Promise((done) => {
      request.onsuccess = done;
    });
    request.result.close();
  });
  test.skip('skipped', () => expect(1).toBe(2));
  test('slow', { timeout: 10_000 }, () => new Promise((done) => setTimeout(done, 100)));
  test('slow too', () => new Promise<void>((done) => setTimeout(done, 100)), 10_000);
});
