import { pipeline, standard } from 'holdfast';
import { expect, test } from 'vitest';
import { readYourWrites, remainingTime, shadow } from '../../docs/recipes/own-policy.ts';
import { scenario } from '../support/scenario.ts';

test('each attempt says how much time is left', async () => {
  const seen: (string | null)[] = [];
  const fetch = pipeline(
    [...standard({ timeout: { total: 5000 }, retry: { delay: () => 0 } }), remainingTime()],
    {
      fetch: async (request) => {
        seen.push(request.headers.get('x-time-left'));
        return new Response(null, { status: seen.length < 3 ? 503 : 204 });
      },
    },
  );
  expect((await fetch('https://api.example.com/')).status).toBe(204);
  expect(seen.map((left) => Number(left) > 4000 && Number(left) <= 5000)).toEqual([true, true, true]);
  await fetch('https://api.example.com/', { holdfast: { remainingTime: false } });
  expect(seen.at(-1)).toBe(null);
});

test('a read that is older than the last write is sent again', async () => {
  const versions = [7, 5, 6, 7];
  const { fetch, clock } = scenario([
    readYourWrites((response) => Number(response.headers.get('x-version')) || undefined),
    () => async () => new Response('', { headers: { 'x-version': String(versions.shift()) } }),
  ]);
  await fetch('https://api.example.com/', { method: 'PUT', body: 'x' });
  const response = await fetch('https://api.example.com/');
  expect([response.headers.get('x-version'), clock.ticks()]).toEqual(['7', 300]);
});

test('reads go to the origin on trial as well, whose failures change nothing', async () => {
  const seen: string[] = [];
  const fetch = pipeline([shadow('https://trial.example')], {
    fetch: async ({ url }) => {
      seen.push(url);
      if (url.includes('trial')) throw new TypeError('fetch failed');
      return new Response('well');
    },
  });
  expect(await (await fetch('https://api.example.com/orders?page=2')).text()).toBe('well');
  await fetch('https://api.example.com/orders', { method: 'POST', body: 'x' });
  expect(seen).toEqual([
    'https://trial.example/orders?page=2',
    'https://api.example.com/orders?page=2',
    'https://api.example.com/orders',
  ]);
});
