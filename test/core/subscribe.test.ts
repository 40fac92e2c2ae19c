import { describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/ky/client.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import { pipeline } from '../../src/core/pipeline.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { ok, testHost } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

describe('subscribe', () => {
  test('hears the calls that begin afterwards, until it is ended', async () => {
    const { fetch, origin } = scenario([]);
    origin.replies(ok());
    await fetch(URL_);
    const heard: string[] = [];
    const end = fetch.subscribe(({ type }) => heard.push(type));
    await fetch(URL_);
    end();
    await fetch(URL_);
    expect(heard).toEqual(['call-started', 'attempt-started', 'attempt-ended', 'call-ended']);
  });

  test('hears beside onEvent, and a listener that throws harms no other', async () => {
    const heard: string[] = [];
    const host = testHost();
    const fetch = pipeline([], {
      host,
      fetch: async () => new Response('ok'),
      onEvent: ({ type }) => void heard.push(`first ${type}`),
    });
    fetch.subscribe(() => {
      throw new Error('a bug of the listener');
    });
    fetch.subscribe(({ type }) => heard.push(`last ${type}`));
    await fetch(URL_);
    expect(heard.slice(0, 2)).toEqual(['first call-started', 'last call-started']);
  });

  test('hears of circuits, which belong to no call', () => {
    const circuits = breaker();
    const { fetch } = scenario([circuits]);
    const heard: HoldfastEvent[] = [];
    fetch.subscribe((event) => heard.push(event));
    circuits.isolate(ORIGIN);
    expect(heard).toMatchObject([{ type: 'circuit', origin: ORIGIN, to: 'isolated' }]);
  });

  test('hears a client through ky', async () => {
    const api = createClient({ fetch: async () => new Response('{}') });
    const heard: string[] = [];
    api.subscribe(({ type }) => heard.push(type));
    await api.get(URL_).json();
    expect(heard).toContain('call-ended');
    await api.close();
  });

  test('takes functions only', () => {
    expect(() => scenario([]).fetch.subscribe('x' as never)).toThrow('subscribe.listener');
  });
});
