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

test.skipIf(typeof indexedDB !== 'object')(
  'a value reaches a worker that starts while it is being stored',
  async () => {
    const name = crypto.randomUUID();
    const page = sharedValue(name, isText);
    await page.ready;
    const set = page.set('bob');
    const received: unknown[] = [];
    const worker = new BroadcastChannel(name);
    worker.onmessage = ({ data }) => received.push(data);
    onTestFinished(() => {
      page.close();
      worker.close();
      indexedDB.deleteDatabase(name);
    });
    await set;
    for (let turn = 0; turn < 20; turn++) await quiet();
    expect(received).toEqual(['bob']);
  },
);
