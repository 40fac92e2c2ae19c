import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/core/contract.ts';
import { sourceOf } from '../../../src/core/outcome.ts';
import type { PipelineOptions } from '../../../src/core/pipeline.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import type { StaleCacheOptions } from '../../../src/policies/cache/options.ts';
import { attemptTimeout } from '../../../src/policies/timeout.ts';
import { sleep } from '../../../src/primitives/clock.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { hang, networkError, ok, type Step, slow, stalledBody, status } from '../../../src/testing.ts';
import { type CachePage, cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { durableStore } from '../../support/durable.ts';
import { guardedStore } from '../../support/guarded-store.ts';
import { type Page as OutboxPage, page as outboxPage, settle } from '../../support/outbox-page.ts';
import { quiet } from '../../support/platform.ts';
import { type Scenario, scenario } from '../../support/scenario.ts';

const OTHER = 'https://other.example.com/orders';
const URLS = Array.from({ length: 30 }, (_, nth) => `${URL_}/${nth}`);

/** Without limits of time, so that the clock stands still between two reads. */
const PATIENT = { holdfast: { timeout: false } } as const;

interface Page extends CachePage {
  /** Status, source, text, and seconds to the response. */
  timed(url?: string, init?: Parameters<CachePage['fetch']>[1]): Promise<[number, string, string, number]>;
}

/** A page with cached responses for all URLs, whose network lets requests out and nothing in. */
async function lieFi(options: StaleCacheOptions = {}, pipeline: PipelineOptions = {}): Promise<Page> {
  const page = cachePage(options, pipeline);
  page.origin.otherwise(() => fresh('one'));
  for (const url of [URL_, OTHER, ...URLS]) await page.read(url);
  await page.clock.advance(61_000);
  page.origin.otherwise(hang());
  page.origin.seen.length = 0;
  page.events.length = 0;
  return { ...page, timed: timed(page) };
}

const timed =
  (page: Scenario): Page['timed'] =>
  async (url = URL_, init = PATIENT) => {
    const before = page.clock.ticks();
    const response = await page.fetch(url, init);
    const seconds = (page.clock.ticks() - before) / 1000;
    return [response.status, sourceOf(response), await response.text(), seconds];
  };

/** The network returns: waiting requests get a response. */
function returning(page: Page): (response: () => Response) => Promise<void> {
  const waiting: ((response: Response) => void)[] = [];
  page.origin.otherwise(() => new Promise((resolve) => waiting.push(resolve)));
  return async (response) => {
    for (const resolve of waiting.splice(0)) resolve(response());
    page.origin.otherwise(response);
    await settled(page);
  };
}

/** The cache stores responses in the background. */
async function settled(page: Page): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await page.clock.busy(quiet());
    await page.clock.advance(0);
  }
}

const CACHED = [200, 'stale', 'one'];

describe('while no response comes', () => {
  test('a read without a response after 4 s gets its cached response, and says why', async () => {
    const page = await lieFi();
    expect(await page.timed()).toEqual([...CACHED, 4]);
    expect(page.emitted('cache-served')).toMatchObject([{ source: 'stale', cause: 'silence' }]);
  });

  test('a read from a silent origin gets its cached response at once', async () => {
    const page = await lieFi();
    await page.timed();
    expect(await page.timed()).toEqual([...CACHED, 0]);
    expect(await page.timed(URLS[0])).toEqual([...CACHED, 0]);
    expect(page.emitted('cache-served').map((event) => event.cause)).toEqual(Array(3).fill('silence'));
  });

  test('a read from a silent origin sends no request while one is under way', async () => {
    const page = await lieFi();
    await page.timed();
    const reads = await Promise.all(URLS.map((url) => page.timed(url)));
    expect(reads).toEqual(URLS.map(() => [...CACHED, 0]));
    expect(page.origin.seen).toHaveLength(1);
  });

  test('thirty reads at once wait together for the cached responses, and the next thirty not at all', async () => {
    const page = await lieFi();
    const first = await Promise.all(URLS.map((url) => page.timed(url)));
    expect(first).toEqual(URLS.map(() => [...CACHED, 4]));
    const second = await Promise.all(URLS.map((url) => page.timed(url)));
    expect(second).toEqual(URLS.map(() => [...CACHED, 0]));
    expect(page.origin.seen).toHaveLength(30);
  });

  test('a read from a silent origin sends one request in the background when none is under way', async () => {
    const page = await lieFi();
    await page.timed(URL_, {});
    for (let round = 1; round <= 3; round++) {
      await page.clock.advance(10_000);
      const reads = await Promise.all(URLS.map((url) => page.timed(url, {})));
      expect(reads).toEqual(URLS.map(() => [...CACHED, 0]));
      expect(page.origin.seen).toHaveLength(1 + round);
    }
  });

  test('a background request without a time limit counts as lost after 30 s, and another one is sent', async () => {
    const page = await lieFi();
    await page.timed();
    await page.clock.advance(35_000);
    expect(page.clock.pending).toBe(0);
    await page.timed();
    await page.clock.advance(29_000);
    await page.timed();
    expect(page.origin.seen).toHaveLength(2);
    await page.clock.advance(2_000);
    await page.timed();
    expect(page.origin.seen).toHaveLength(3);
  });

  test('a silent origin neither delays reads from another origin nor serves them cached responses at once', async () => {
    const page = await lieFi();
    await page.timed();
    expect(await page.timed(OTHER)).toEqual([...CACHED, 4]);
    page.origin.otherwise(() => fresh('two'));
    expect(await page.timed(`${OTHER}?new`)).toEqual([200, 'network', 'two', 0]);
    expect(await page.timed()).toEqual([...CACHED, 0]);
  });

  test('a read of a silent origin without a cached response waits for its own time limit', async () => {
    const page = await lieFi();
    await page.timed();
    const before = page.clock.ticks();
    await expect(page.fetch(`${URL_}?new`)).rejects.toMatchObject({ code: 'timeout-attempt' });
    expect(page.clock.ticks() - before).toBe(10_000);
  });

  test.each(['cache-first', 'stale-while-revalidate'] as const)(
    'a %s read from a silent origin gets a cached response that may only stand in at once',
    async (mode) => {
      const page = await lieFi({ mode });
      page.origin.otherwise(hang());
      const asked = { ...PATIENT, headers: { 'cache-control': 'max-age=1' } };
      expect(await page.timed(URL_, asked)).toEqual([...CACHED, 4]);
      expect(await page.timed(URLS[0], asked)).toEqual([...CACHED, 0]);
      expect(page.origin.seen).toHaveLength(1);
    },
  );

  test('a read of a silent origin sends nothing in the background while the host is offline', async () => {
    const page = await lieFi();
    await page.timed(URL_, {});
    await page.clock.advance(10_000);
    page.host.connectivity.set(false);
    expect(await page.timed()).toEqual([...CACHED, 0]);
    expect(page.origin.seen).toHaveLength(1);
  });

  test('a network-first read is sent before the store responds', async () => {
    const page = await lieFi({ memory: false, validators: 'platform' });
    page.store.break('hang');
    const before = page.clock.ticks();
    const reading = page.timed().catch((error) => error.code);
    await page.clock.busy(quiet());
    expect(page.origin.seen.map(({ at }) => at)).toEqual([before]);
    await page.fetch.close();
    expect(await reading).toBe('closed');
  });
});

describe('when an origin counts as silent', () => {
  test('an origin counts as silent only if it has sent no response since the request was sent', async () => {
    const page = await lieFi();
    page.origin.replies(
      hang(),
      slow(page.clock, 2_000, () => status(404)),
    );
    const [first] = await Promise.all([page.timed(), page.timed(`${URL_}?new`)]);
    expect(first).toEqual([...CACHED, 4]);
    expect(await page.timed(URLS[0])).toEqual([...CACHED, 4]);
    expect(await page.timed(URLS[1])).toEqual([...CACHED, 0]);
  });

  test.each<[string, Step]>([
    ['503', () => status(503)],
    ['a network error', networkError()],
  ])(
    'an origin does not count as silent while its attempts end with %s and are repeated',
    async (_, step) => {
      const repeating: Policy = (next) => async (request, call) => {
        for (;;) {
          const response = await next(request, call).catch(() => undefined);
          if (response?.status === 200) return response;
          await sleep(1_500, call);
        }
      };
      const cache = cachePolicy({ store: memoryStore(), validators: 'own' }, memoryStore);
      const page = scenario([cache, repeating], { partition: 'ann' });
      const read = timed(page);
      page.origin.replies(fresh('one'));
      await read();
      await page.clock.advance(61_000);
      page.origin.otherwise(step);
      expect(await read()).toEqual([...CACHED, 4]);
      expect(await read()).toEqual([...CACHED, 4]);
      await page.fetch.close();
    },
  );

  test('a network error after more than 4 s does not end the silence: other requests would hang as long', async () => {
    const page = await lieFi();
    page.origin.replies(
      (_, signal) =>
        new Promise((_, reject) => {
          const cancel = page.clock.after(6_000, () => reject(networkError()), { background: true });
          signal.addEventListener('abort', cancel);
        }),
    );
    await page.timed();
    await page.clock.advance(3_000);
    expect(await page.timed()).toEqual([...CACHED, 0]);
    expect(page.origin.seen).toHaveLength(2);
  });

  test('an origin counts as silent after 4 s, if reads wait for less', async () => {
    const page = await lieFi({ respondAfter: '1s' });
    const seconds: number[] = [];
    for (let nth = 0; nth < 6; nth++) seconds.push((await page.timed(URLS[nth]))[3]);
    expect(seconds).toEqual([1, 1, 1, 1, 0, 0]);
  });

  test('a read that waits longer than 4 s does so with a silent origin as well', async () => {
    const page = await lieFi();
    await page.timed();
    const long = { holdfast: { ...PATIENT.holdfast, staleCache: { respondAfter: '6s' as const } } };
    expect(await page.timed(URLS[0], long)).toEqual([...CACHED, 6]);
    expect(await page.timed(URLS[1], long)).toEqual([...CACHED, 0]);
  });

  test('a read with respondAfter: false waits for a silent origin', async () => {
    const page = await lieFi();
    await page.timed();
    const off = { holdfast: { staleCache: { respondAfter: false as const } } };
    expect(await page.timed(URLS[0], off)).toEqual([...CACHED, 10]);
  });

  test('a cache with respondAfter: false gives no cached response for silence', async () => {
    const page = await lieFi({ respondAfter: false });
    expect(await page.timed(URL_, {})).toEqual([...CACHED, 10]);
    expect(await page.timed(URL_, {})).toEqual([...CACHED, 10]);
  });
});

describe('no cached response', () => {
  const forbidding: [string, Record<string, string>, Record<string, string>][] = [
    ['must-revalidate, and it is stale', { 'cache-control': 'max-age=1, must-revalidate' }, {}],
    ['no-cache', { 'cache-control': 'no-cache' }, {}],
    ['no-cache in the request', {}, { 'cache-control': 'no-cache' }],
    ['no-store in the request', {}, { 'cache-control': 'no-store' }],
  ];

  test.each(forbidding)(
    'a cached response is not given for silence if there is %s',
    async (_, said, asked) => {
      const page = await lieFi();
      const url = `${URL_}?strict`;
      page.origin.replies(fresh('strict', 60, said));
      await page.read(url);
      await page.clock.advance(61_000);
      const init = { headers: asked };
      await expect(page.timed(url, init)).rejects.toMatchObject({ code: 'timeout-attempt' });
      await page.timed();
      await expect(page.timed(url, init)).rejects.toMatchObject({ code: 'timeout-attempt' });
    },
  );
});

describe('the network returns', () => {
  test('a late response is stored and announced, and the next read has a response from the network', async () => {
    const page = await lieFi();
    const give = returning(page);
    await page.timed();
    await page.clock.advance(5_000);
    await give(() => fresh('two'));
    expect(page.emitted('cache-updated')).toEqual([{ type: 'cache-updated', url: URL_ }]);
    expect(await page.timed(URLS[0])).toEqual([200, 'network', 'two', 0]);
    page.origin.otherwise(networkError());
    expect((await page.timed()).slice(0, 3)).toEqual([200, 'cache', 'two']);
  });

  test('a late response to a background request is stored and announced', async () => {
    const page = await lieFi();
    await page.timed(URL_, {});
    await page.clock.advance(10_000);
    const give = returning(page);
    await page.timed(URLS[7]);
    await give(() => fresh('two'));
    expect(page.emitted('cache-updated')).toEqual([{ type: 'cache-updated', url: URLS[7] }]);
    expect(await page.timed(URLS[0])).toEqual([200, 'network', 'two', 0]);
    page.origin.otherwise(networkError());
    expect((await page.timed(URLS[7])).slice(0, 3)).toEqual([200, 'cache', 'two']);
  });

  test.each<[string, number]>([
    ['the late response', 0],
    ['the late response to a background request', 10_000],
  ])('%s is stored if its body takes longer than 30 s', async (_, ahead) => {
    const page = await lieFi();
    if (ahead > 0) await page.timed(URL_, {});
    await page.clock.advance(ahead);
    const give = returning(page);
    await page.timed(URLS[1]);
    const body = new ReadableStream({
      start(controller) {
        const end = (): void => {
          controller.enqueue(new TextEncoder().encode('two'));
          controller.close();
        };
        page.clock.after(40_000, end, { background: true });
      },
    });
    await give(() => new Response(body));
    await page.clock.advance(41_000);
    await settled(page);
    expect(page.emitted('cache-updated')).toEqual([{ type: 'cache-updated', url: URLS[1] }]);
  });

  test('thirty late responses are stored and announced, each once', async () => {
    const page = await lieFi();
    const give = returning(page);
    await Promise.all([...URLS, ...URLS].map((url) => page.timed(url)));
    await give(() => fresh('two'));
    const announced = page.emitted('cache-updated').map(({ url }) => url);
    expect(announced.toSorted()).toEqual(URLS.toSorted());
  });

  test('a late response that says nothing new is stored and not announced', async () => {
    const page = await lieFi();
    const give = returning(page);
    await page.timed();
    await give(() => fresh('one'));
    expect(page.emitted('cache-stored')).toHaveLength(1);
    expect(page.emitted('cache-updated')).toEqual([]);
  });

  test('a response that the caller gets itself is not announced', async () => {
    const page = await lieFi();
    const give = returning(page);
    const reading = page.timed();
    await page.clock.busy(quiet());
    await give(() => fresh('two'));
    expect(await reading).toEqual([200, 'network', 'two', 0]);
    await settled(page);
    expect(page.emitted('cache-stored')).toHaveLength(1);
    expect(page.emitted('cache-updated')).toEqual([]);
  });

  test('a response that comes while the store reads the cached one is the caller’s, and not announced', async () => {
    const inner = durableStore();
    let isSlow = false;
    const guard = async <T>(work: () => Promise<T>): Promise<T> => {
      if (isSlow) await new Promise<void>((done) => void page.clock.after(1_000, done));
      return work();
    };
    const store = { ...inner, ...guardedStore(inner, guard) };
    const page: Page = await lieFi({ store, memory: false, validators: 'platform' });
    page.origin.otherwise(slow(page.clock, 4_500, () => fresh('two')));
    isSlow = true;
    expect(await page.timed()).toEqual([200, 'network', 'two', 4.5]);
    await page.clock.advance(20_000);
    expect(page.emitted('cache-stored')).toHaveLength(1);
    expect(page.emitted('cache-updated')).toEqual([]);
  });

  test.each<[string, string, RequestInit, () => Response]>([
    ['a response to a read without a cached response', `${URL_}?new`, {}, () => fresh('new')],
    ['an error status', `${URL_}?new`, {}, () => status(500)],
    ['a response to a write', URL_, { method: 'POST', body: 'x' }, () => status(201)],
    ['a response that rejects a write', URL_, { method: 'PUT', body: 'x' }, () => status(409)],
    ['a response to a read with a range', URL_, { headers: { range: 'bytes=0-1' } }, () => status(206)],
  ])('%s ends the silence', async (_, url, init, response) => {
    const page = await lieFi();
    await page.timed();
    page.origin.replies(response(), () => fresh('two'));
    await page.fetch(url, init).then((given) => given.text());
    expect(await page.timed(URLS[0])).toEqual([200, 'network', 'two', 0]);
  });

  test('a quick network error ends the silence: the next read is sent, and gets its cached response by it', async () => {
    const page = await lieFi();
    await page.timed(URL_, {});
    await page.clock.advance(10_000);
    page.origin.otherwise(networkError());
    expect(await page.timed(URLS[0])).toEqual([...CACHED, 0]);
    await settled(page);
    expect(await page.timed(URLS[1])).toEqual([...CACHED, 0]);
    expect(page.origin.seen.at(-1)?.url).toBe(URLS[1]);
    expect(page.emitted('cache-served').at(-1)?.cause).toBeInstanceOf(TypeError);
  });
});

describe('resources', () => {
  /** Signals of the requests that the transport received. */
  async function watchedLieFi(): Promise<Page & { signals: AbortSignal[] }> {
    const page = await lieFi();
    const signals: AbortSignal[] = [];
    page.origin.otherwise((_, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    return { ...page, signals };
  }

  test('a caller that aborts before 4 s ends the request, and no timer is left', async () => {
    const page = await watchedLieFi();
    const leaving = new AbortController();
    const reason = new Error('mine');
    page.clock.after(1_000, () => leaving.abort(reason));
    await expect(page.fetch(URL_, { ...PATIENT, signal: leaving.signal })).rejects.toBe(reason);
    await settled(page);
    expect(page.signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(page.clock.pending).toBe(0);
  });

  test('a caller that aborts after it has its cached response does not end the request; close() does', async () => {
    const page = await watchedLieFi();
    const leaving = new AbortController();
    // Its body is not read: the call is not over.
    await page.fetch(URL_, { ...PATIENT, signal: leaving.signal });
    leaving.abort();
    await settled(page);
    expect(page.signals.map(({ aborted }) => aborted)).toEqual([false]);
    await page.fetch.close();
    expect(page.signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(page.clock.pending).toBe(0);
  });

  test('close() ends a background request, and no timer is left', async () => {
    const page = await watchedLieFi();
    await page.timed(URL_, {});
    await page.clock.advance(10_000);
    await page.timed();
    expect(page.signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await page.fetch.close();
    await settled(page);
    expect(page.signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(page.clock.pending).toBe(0);
  });

  test.each<[string, number]>([
    ['a late response', 0],
    ['a background request', 10_000],
  ])('close() ends the body of %s', async (_, ahead) => {
    const page = await lieFi();
    if (ahead > 0) await page.timed(URL_, {});
    await page.clock.advance(ahead);
    const give = returning(page);
    await page.timed(URLS[1]);
    const { response, cancelled } = stalledBody();
    await give(() => response);
    expect(cancelled()).toBe(false);
    await page.fetch.close();
    await settled(page);
    expect(cancelled()).toBe(true);
    expect(page.clock.pending).toBe(0);
  });

  test('a late response is neither stored nor announced after clear()', async () => {
    const page = await lieFi();
    const give = returning(page);
    await page.timed();
    await page.cache.clear({ partition: 'ann' });
    await give(() => fresh('two'));
    expect(page.emitted('cache-updated')).toEqual([]);
    expect(await page.cache.entries()).toEqual([]);
  });

  test('a late response is neither stored nor announced after another user has signed in', async () => {
    let user = 'ann';
    const page = await lieFi({}, { partition: () => user });
    const give = returning(page);
    await page.timed();
    user = 'bob';
    await give(() => fresh('two'));
    expect(page.emitted('cache-updated')).toEqual([]);
    expect(await page.cache.entries({ partition: 'bob' })).toEqual([]);
    user = 'ann';
    page.origin.otherwise(networkError());
    expect((await page.timed())[2]).toBe('one');
  });
});

test('calls that share no I/O share the silence of an origin, and give background work to waitUntil', async () => {
  const cache = cachePolicy({ store: memoryStore(), validators: 'own' }, memoryStore);
  const works: Promise<unknown>[] = [];
  const waitUntil = (work: Promise<unknown>): void => void works.push(work);
  const page = scenario([cache, attemptTimeout()], { partition: 'ann', canShareIO: false });
  const read = timed(page);
  page.origin.replies(fresh('one'));
  await read();
  await page.clock.advance(61_000);
  page.origin.otherwise(hang());
  expect(await read(URL_, { holdfast: { waitUntil } })).toEqual([...CACHED, 4]);
  const first = works.length;
  expect(first).toBeGreaterThan(0);
  await page.clock.advance(10_000);
  expect(await read(URL_, { holdfast: { waitUntil } })).toEqual([...CACHED, 0]);
  expect(await read(URL_, { holdfast: { waitUntil } })).toEqual([...CACHED, 0]);
  expect(page.origin.seen).toHaveLength(3);
  await page.clock.advance(10_000);
  await Promise.all(works);
  await page.fetch.close();
});

describe('the outbox', () => {
  const give = (here: OutboxPage, url: string, lane: string) =>
    here.fetch(url, { method: 'POST', body: 'x', holdfast: { outbox: { lane } } });

  test('a write that gets no response is accepted 2 s after the call, the commit included', async () => {
    const inner = durableStore();
    let commits = 0;
    const late = async <T>(work: () => Promise<T>): Promise<T> => {
      if (commits++ < 5) await new Promise<void>((done) => void here.clock.after(100, done));
      return work();
    };
    const here = outboxPage({}, { ...inner, ...guardedStore(inner, late) });
    here.origin.otherwise(hang());
    const before = here.clock.ticks();
    expect((await give(here, URL_, 'a')).status).toBe(202);
    expect(commits).toBeGreaterThan(0);
    expect(here.clock.ticks() - before).toBe(2_000);
  });

  test('lanes of an origin that hangs hold up no lane of another origin', async () => {
    const here = outboxPage();
    here.origin.otherwise((request) => (request.url === OTHER ? ok() : new Promise(() => {})));
    const hanging = URLS.map((url, nth) => give(here, url, `${nth}`));
    await here.clock.busy(settle());
    const before = here.clock.ticks();
    expect((await give(here, OTHER, 'other')).status).toBe(200);
    expect(here.clock.ticks() - before).toBe(0);
    expect((await Promise.all(hanging)).map((response) => response.status)).toEqual(URLS.map(() => 202));
    // Six of one origin at a time.
    expect(here.origin.seen).toHaveLength(7);
  });
});
