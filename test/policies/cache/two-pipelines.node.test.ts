import { describe, expect, test } from 'vitest';
import { pipeline } from '../../../src/core/pipeline.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { macrotask } from '../../../src/testing/clock.ts';
import { ok, testHost } from '../../../src/testing.ts';

const ORIGIN = 'https://api.example.com';

describe('two pipelines with one cache', () => {
  test('neither gets responses to the credentials of the other', async () => {
    const host = testHost();
    const cache = cachePolicy({}, memoryStore);
    const of = (token: string) =>
      pipeline([cache, auth({ scheme: 'bearer', origins: [ORIGIN], token })], {
        host,
        partition: 'public',
        fetch: async (request) => ok(`of ${request.headers.get('authorization')}`),
      });
    const [ann, bob] = [of('ann'), of('bob')];
    const texts = await Promise.all([ann, bob].map(async (fetch) => (await fetch(`${ORIGIN}/me`)).text()));
    expect(texts).toEqual(['of Bearer ann', 'of Bearer bob']);
    await ann.close();
    await bob.close();
  });

  test('the end of one does not reject the reads of the other', async () => {
    const host = testHost();
    const cache = cachePolicy({}, memoryStore);
    const responses: ((response: Response) => void)[] = [];
    const of = () =>
      pipeline([cache], {
        host,
        partition: 'ann',
        fetch: (_, { signal }) =>
          new Promise((resolve, reject) => {
            responses.push(resolve);
            signal?.addEventListener('abort', () => reject(signal.reason));
          }),
      });
    const [one, two] = [of(), of()];
    const first = one(`${ORIGIN}/x`).catch((error) => error.code);
    const second = two(`${ORIGIN}/x`).then(
      (response) => response.text(),
      (error) => error.code,
    );
    await macrotask();
    await one.close();
    expect(await first).toBe('closed');
    for (const respond of responses) respond(ok('here'));
    expect(await second).toBe('here');
    await two.close();
  });
});
