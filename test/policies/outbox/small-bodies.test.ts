/** Over a store with small items, as those of Deno KV and of Durable Objects. */
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/core/errors.ts';
import type { AtomicStore } from '../../../src/core/store.ts';
import { ok } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';

/** Large values belong in the body of an item. */
function narrow(most = 60_000) {
  const store = durableStore();
  const { change } = store;
  const measured: AtomicStore['change'] = (keys, decide, options) =>
    change(
      keys,
      (found) => {
        const decision = decide(found);
        for (const each of decision.changes)
          if ('put' in each && JSON.stringify(each.put).length > most)
            throw new StorageError('an item is too large; what is large goes in its body', {
              transient: false,
            });
        return decision;
      },
      options,
    );
  store.change = measured;
  return store;
}

const debugPage = (code: number, headers: object = {}) =>
  new Response(JSON.stringify({ error: 'wrong', trace: 'x'.repeat(100_000) }), {
    status: code,
    headers: { 'content-type': 'application/json', ...headers },
  });

describe('a response with a long JSON body', () => {
  test('a long JSON body of a 422 makes a dead letter, and blocks no other entry', async () => {
    const here = page({}, narrow());
    here.host.connectivity.set(false);
    await give(here, 'a');
    await give(here, 'b');
    here.origin.replies(debugPage(422), ok());
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['a', 'b']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 1 });
  });

  test('a long JSON body of a 503 delays the entry as long as Retry-After says', async () => {
    const here = page({ pollInterval: '1m' }, narrow());
    here.origin.otherwise(() => debugPage(503, { 'retry-after': '3600' }));
    await give(here, 'a');
    await here.clock.advance(10 * 60_000);
    expect(sent(here)).toEqual(['a']);
  });
});
