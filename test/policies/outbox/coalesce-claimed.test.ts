/** A write is not coalesced with an attempt of unknown outcome. */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/core/contract.ts';
import { pipeline } from '../../../src/core/pipeline.ts';
import { bulkhead } from '../../../src/policies/bulkhead.ts';
import { failover } from '../../../src/policies/failover.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { attemptTimeout } from '../../../src/policies/timeout.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { networkError, ok, status, testHost, virtualClock } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, POST, page, settle, URL_ } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';
import { quiet } from '../../support/platform.ts';

const both = async (earlier: Request, later: Request) =>
  new Request(later, { body: `${await earlier.text()}+${await later.text()}` });

describe('a write under a key whose response was lost', () => {
  test('a write under a key whose response was lost is not coalesced, also after a 401', async () => {
    const here = page();
    here.origin.replies(networkError(), status(401));
    await give(here, 'add 1', { coalesce: { key: 'k', merge: both } });
    await here.outbox.flush();
    await give(here, 'add 2', { coalesce: { key: 'k', merge: both } });
    await here.outbox.resume();
    await settle();
    // 'add 1' may have taken effect under its key: it must not come again under another one.
    expect(sent(here).at(-1)).toBe('add 2');
    expect(sent(here)).not.toContain('add 1+add 2');
  });

  test('a write under a key whose response was lost is not coalesced, also after a rejection by the bulkhead', async () => {
    const host = testHost({ clock: virtualClock({ quiet }) });
    const outbox = outboxPolicy({ store: durableStore(), pollInterval: '1h' }, memoryStore);
    const arrived: string[] = [];
    let respond = (_: Request): Response | Promise<Response> => {
      throw networkError();
    };
    const fetch = pipeline([outbox, bulkhead({ limit: 1, queue: 0 })], {
      partition: 'ann',
      host,
      fetch: async (request) => {
        arrived.push(await request.text());
        return respond(request);
      },
    });
    closeAfterTest(fetch);
    const write = (body: string) =>
      fetch(URL_, { ...POST, body, holdfast: { outbox: { coalesce: { key: 'k', merge: both } } } });
    await write('add 1');
    // Another request has the only slot.
    let letGo = (_: Response): void => {};
    respond = () =>
      new Promise((resolve) => {
        letGo = resolve;
      });
    const other = fetch(`${URL_}?other`, { method: 'PUT', body: 'other' });
    await settle();
    await outbox.flush();
    respond = () => ok();
    letGo(ok());
    await (await other).text();
    host.connectivity.set(false);
    await write('add 2');
    host.connectivity.set(true);
    await outbox.flush();
    expect(arrived).not.toContain('add 1+add 2');
  });

  test('a write that may have arrived at one origin is not coalesced, although the next origin responds 401', async () => {
    const host = testHost({ clock: virtualClock({ quiet }) });
    const outbox = outboxPolicy({ store: durableStore(), pollInterval: '1h' }, memoryStore);
    const arrived: string[] = [];
    const origins = ['https://api.example.com', 'https://b.example.com'];
    const fetch = pipeline([outbox, failover({ origins })], {
      partition: 'ann',
      host,
      fetch: async (request) => {
        arrived.push(`${new URL(request.url).host} ${await request.text()}`);
        if (arrived.length === 1) throw networkError();
        return arrived.length === 2 ? status(401) : ok();
      },
    });
    closeAfterTest(fetch);
    for (const body of ['1', '2']) {
      void fetch(URL_, { ...POST, body, holdfast: { outbox: { coalesce: { key: 'k', merge: both } } } });
      await settle();
      await host.clock.advance(100);
    }
    expect(arrived).toEqual(['api.example.com 1', 'b.example.com 1']);
    await outbox.resume();
    await host.clock.advance(60_000);
    expect(arrived.slice(2).map((each) => each.replace(/.* /, ''))).toEqual(['1', '2']);
  });
});

describe('an at-most-once write', () => {
  const atMostOnce = { delivery: 'at-most-once' } as const;

  const toTheNext = failover({ origins: ['https://api.example.com', 'https://b.example.com'] });

  function world(options: object = {}, repeating: Policy = toTheNext) {
    const host = testHost({ clock: virtualClock({ quiet }) });
    const outbox = outboxPolicy(
      { store: durableStore(), pollInterval: '1h', ...atMostOnce, ...options },
      memoryStore,
    );
    const arrived: string[] = [];
    let respond = (_: URL): Response | Promise<Response> => {
      throw networkError();
    };
    const fetch = pipeline([outbox, repeating, attemptTimeout()], {
      partition: 'ann',
      host,
      fetch: async (request) => {
        arrived.push(`${new URL(request.url).host}`);
        return respond(new URL(request.url));
      },
    });
    closeAfterTest(fetch);
    return {
      host,
      outbox,
      arrived,
      fetch,
      setResponse: (by: typeof respond) => {
        respond = by;
      },
    };
  }

  test('an at-most-once write whose response was lost does not go to the next origin', async () => {
    const { fetch, arrived } = world();
    await fetch(URL_, POST).catch(() => {});
    await settle();
    expect(arrived).toEqual(['api.example.com']);
  });

  test('an at-most-once write that is paused between two attempts of another policy counts as sent', async () => {
    const twice: Policy = (next) => async (request, call) => {
      const clone = request.clone();
      return next(request, call).catch(() => next(clone, call));
    };
    const { fetch, arrived, outbox, setResponse } = world({}, twice);
    setResponse(async () => {
      await outbox.pause();
      throw networkError();
    });
    await fetch(URL_, POST).catch(() => {});
    await settle();
    await outbox.resume();
    await settle();
    expect(arrived).toEqual(['api.example.com']);
    expect((await outbox.entries({ state: 'dead-letter' }))[0]?.reason?.code).toBe('unknown-outcome');
  });

  test('an at-most-once write under a key is sent again if it is known not to have taken effect', async () => {
    const here = page(atMostOnce);
    here.origin.replies(status(503));
    await give(here, 'a', { coalesce: { key: 'k' } });
    await here.outbox.flush();
    expect(sent(here)).toEqual(['a', 'a']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
  });
});
