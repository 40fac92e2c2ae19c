import { expect, onTestFinished, test } from 'vitest';
import { sharedValue } from '../../src/stores/shared-value.ts';
import { testHost, virtualClock } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';

const isText = (value: unknown): value is string => typeof value === 'string';

test.skipIf(typeof indexedDB !== 'object')('a database that never opens holds up no page', async () => {
  const { open } = IDBFactory.prototype;
  IDBFactory.prototype.open = () => ({}) as IDBOpenDBRequest;
  onTestFinished(() => {
    IDBFactory.prototype.open = open;
  });
  const host = testHost({ clock: virtualClock({ quiet }) });
  const shared = sharedValue(crypto.randomUUID(), isText, host);
  onTestFinished(shared.close);
  await shared.ready;
  expect([shared.value, host.clock.ticks()]).toEqual([undefined, 2_000]);
  await expect(shared.set('ann').catch((error) => error)).resolves.toMatchObject({ code: 'storage' });
  expect(shared.value).toBe('ann');
});
