import { afterEach, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { systemHost } from '../../src/core/host.ts';
import { telemetry } from '../../src/policies/telemetry.ts';
import { ok } from '../../src/testing.ts';

const { random } = Math;
afterEach(() => {
  Math.random = random;
});

test('idempotency keys, call ids and trace ids come from crypto, not from Math.random', async () => {
  Math.random = () => 0.5;
  const seen = new Set<string | null>();
  for (let client = 0; client < 3; client++) {
    const fetch = createFetch({
      retry: { idempotencyKey: true },
      telemetry: telemetry({ origins: ['https://api.example.com'] }),
      fetch: async ({ headers }) => {
        seen.add(headers.get('idempotency-key')).add(headers.get('traceparent'));
        return ok();
      },
      onEvent: (event) => event.type === 'call-started' && seen.add(event.callId),
    });
    await fetch('https://api.example.com/', { method: 'POST', body: 'x' });
    await fetch.close();
  }
  expect(seen.has(null)).toBe(false);
  expect(seen.size).toBe(9);
});

test('random numbers are spread over [0, 1)', () => {
  const numbers = Array.from({ length: 10_000 }, () => systemHost.random());
  expect(new Set(numbers).size).toBe(10_000);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  const mean = numbers.reduce((sum, number) => sum + number) / numbers.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
});

test('a seeded host gives the same keys again', async () => {
  const keys: (string | null)[] = [];
  for (let run = 0; run < 2; run++) {
    const fetch = createFetch({
      retry: { idempotencyKey: true },
      host: { random: () => 0.25 },
      fetch: async ({ headers }) => {
        keys.push(headers.get('idempotency-key'));
        return ok();
      },
    });
    await fetch('https://api.example.com/', { method: 'POST', body: 'x' });
    await fetch.close();
  }
  expect(keys[0]).toBe(keys[1]);
});
