import { expect, test } from 'vitest';
import { startPlayground } from './processes.ts';

test('starts with an origin of its own, on other ports if those are taken, and ends on a signal', async () => {
  const first = await startPlayground();
  const second = await startPlayground();
  for (const { url } of [first, second]) {
    expect(await (await fetch(url)).text()).toContain('holdfast');
    expect(await (await fetch(`${url}page/client.ts`)).text()).toContain('createClient');
  }
  expect(await first.close()).toBe(0);
  expect(await second.close()).toBe(0);
  await expect(fetch(first.url)).rejects.toThrow();
});
