import { expect, test } from 'vitest';
import { setAside } from '../../../src/policies/retry/set-aside.ts';
import { stalledBody } from '../../../src/testing.ts';
import { quiet } from '../../support/platform.ts';

test('a response that was set aside has no half of a body', async () => {
  const { response } = stalledBody('half');
  const aside = setAside(response);
  await quiet();
  aside.drop();
  await quiet();
  expect(aside.again()).toBeUndefined();
});

test('a response that was set aside keeps a body that came in time', async () => {
  const aside = setAside(new Response('whole', { status: 503 }));
  await quiet();
  aside.drop();
  expect(await aside.again()?.text()).toBe('whole');
});

test('a response without a body can be set aside', () => {
  expect(setAside(new Response(null, { status: 503 })).again()?.body).toBeNull();
});
