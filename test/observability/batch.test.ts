import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { type BatchProgress, batch } from '../../src/observability/batch.ts';
import { macrotask } from '../../src/testing/index.ts';
import { quiet } from '../support/platform.ts';

/** Work that ends when it is told to. */
function steered() {
  const running = new Map<number, { resolve: (value: string) => void; reject: (error: unknown) => void }>();
  const signals: AbortSignal[] = [];
  return {
    running,
    signals,
    work: (_: unknown, { index, signal }: { index: number; signal: AbortSignal }) =>
      new Promise<string>((resolve, reject) => {
        running.set(index, { resolve, reject });
        signals.push(signal);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    end(index: number): void {
      running.get(index)?.resolve(`done ${index}`);
      running.delete(index);
    },
  };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, nth) => nth);

/** Lets everything that can go on do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await quiet();
}

describe('outcomes', () => {
  test('come in order, one to an item, as allSettled says them', async () => {
    const outcomes = await batch([3, 1, 2], async (item) => {
      if (item === 1) throw new Error('no 1');
      return item * 10;
    }).all();
    expect(outcomes).toEqual([
      { item: 3, index: 0, status: 'fulfilled', value: 30 },
      { item: 1, index: 1, status: 'rejected', reason: new Error('no 1') },
      { item: 2, index: 2, status: 'fulfilled', value: 20 },
    ]);
  });

  test('come in order although they ended in another, or as they end', async () => {
    for (const [order, wanted] of [
      ['given', [0, 1, 2]],
      ['finished', [2, 0, 1]],
    ] as const) {
      const { work, end } = steered();
      const seen: number[] = [];
      const reading = (async () => {
        for await (const { index } of batch(numbers(3), work, { order })) seen.push(index);
      })();
      await settle();
      for (const index of [2, 0, 1]) {
        end(index);
        await settle();
      }
      await reading;
      expect(seen).toEqual(wanted);
    }
  });

  test('are those of work that throws at once, too', async () => {
    const outcomes = await batch([1], () => {
      throw new Error('at once');
    }).all();
    expect(outcomes).toMatchObject([{ status: 'rejected', reason: { message: 'at once' } }]);
  });

  test('are none of nothing', async () => {
    expect(await batch([], () => 1).all()).toEqual([]);
    expect(await batch(new Set<string>(), () => 1).all()).toEqual([]);
  });
});

describe('at once', () => {
  test('are no more than were asked for, and the next begins when one has ended', async () => {
    const { work, running, end } = steered();
    const all = batch(numbers(10), work, { concurrency: 3, ahead: 10 }).all();
    await settle();
    expect([...running.keys()]).toEqual([0, 1, 2]);
    end(1);
    await settle();
    expect([...running.keys()]).toEqual([0, 2, 3]);
    for (let turn = 0; turn < 20; turn++) {
      for (const index of [...running.keys()]) end(index);
      await settle();
    }
    expect(await all).toHaveLength(10);
  });

  test('nothing begins before it is asked for', async () => {
    let begun = 0;
    const outcomes = batch(numbers(3), () => begun++);
    await settle();
    expect(begun).toBe(0);
    await outcomes.all();
    expect(begun).toBe(3);
  });

  test('no more begin than whoever reads has room for', async () => {
    let begun = 0;
    let read = 0;
    let most = 0;
    for await (const _ of batch(numbers(200), async () => begun++, { concurrency: 5, ahead: 20 })) {
      read++;
      most = Math.max(most, begun - read);
      await settle();
    }
    expect(read).toBe(200);
    expect(most).toBeLessThanOrEqual(20);
    expect(most).toBeGreaterThan(5);
  });

  test('items are read as they are needed, also where they come one by one', async () => {
    let given = 0;
    async function* source() {
      for (; given < 1000; given++) yield given;
    }
    for await (const { index } of batch(source(), (item) => item, { concurrency: 2, ahead: 4 })) {
      await settle();
      expect(given).toBeLessThanOrEqual(index + 6);
      if (index === 50) break;
    }
    expect(given).toBeLessThan(60);
  });

  test('one that is slow to come holds up nobody whose turn it is', async () => {
    async function* source() {
      yield 'first';
      await new Promise(() => {});
    }
    for await (const { item } of batch(source(), (item) => item)) {
      expect(item).toBe('first');
      break;
    }
  });
});

describe('the end of a batch', () => {
  test('by the caller’s signal is its reason, at once, and aborts what is under way', async () => {
    const { work, signals } = steered();
    const abort = new AbortController();
    const all = batch(numbers(10), work, { concurrency: 2, signal: abort.signal }).all();
    await settle();
    const failed = all.catch((reason) => reason);
    abort.abort('enough');
    expect(await failed).toBe('enough');
    expect(signals.map(({ aborted, reason }) => [aborted, reason])).toEqual([
      [true, 'enough'],
      [true, 'enough'],
    ]);
  });

  test('that has been aborted before begins nothing', async () => {
    let begun = 0;
    const all = batch(numbers(3), () => begun++, { signal: AbortSignal.abort('never') }).all();
    await expect(all).rejects.toBe('never');
    expect(begun).toBe(0);
  });

  test('by the reader aborts what is under way and closes the source', async () => {
    const { work, signals, end } = steered();
    let closed = false;
    function* source() {
      try {
        for (let nth = 0; ; nth++) yield nth;
      } finally {
        closed = true;
      }
    }
    const reading = (async () => {
      for await (const _ of batch(source(), work, { concurrency: 3 })) break;
    })();
    await settle();
    end(0);
    await reading;
    expect(closed).toBe(true);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(signals[1]?.reason).toMatchObject({ name: 'AbortError' });
  });

  test('by the first failure, where that is wanted, is that failure, and nothing more begins', async () => {
    const { work, running, signals } = steered();
    const all = batch(numbers(10), work, { concurrency: 3, stopAtFailure: true }).all();
    await settle();
    const failed = all.catch((reason) => reason);
    running.get(1)?.reject(new Error('number 1'));
    expect(await failed).toEqual(new Error('number 1'));
    await settle();
    expect(signals).toHaveLength(3);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
  });

  test('by a source that fails is that failure', async () => {
    function* source() {
      yield 1;
      throw new Error('no more');
    }
    await expect(batch(source(), (item) => item).all()).rejects.toThrow('no more');
  });

  test('leaves no listener on the signal and no body unread', async () => {
    const abort = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = abort.signal;
    abort.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(abort.signal, args);
    };
    abort.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(abort.signal, args);
    };
    let cancelled = 0;
    const answer = () =>
      new Response(
        new ReadableStream({
          cancel() {
            cancelled++;
          },
        }),
      );
    for await (const _ of batch(numbers(4), answer, { signal: abort.signal })) break;
    await settle();
    expect([listeners, cancelled]).toEqual([0, 3]);
  });
});

describe('progress', () => {
  test('is told whenever one begins or ends, with the whole where it is known', async () => {
    const told: BatchProgress[] = [];
    await batch(
      numbers(2),
      (item) => {
        if (item === 1) throw new Error('no');
      },
      { concurrency: 1, onProgress: (progress) => told.push(progress) },
    ).all();
    expect(told).toEqual([
      { done: 0, failed: 0, running: 1, total: 2 },
      { done: 1, failed: 0, running: 0, total: 2 },
      { done: 1, failed: 0, running: 1, total: 2 },
      { done: 2, failed: 1, running: 0, total: 2 },
    ]);
    const unknown: BatchProgress[] = [];
    await batch(numbers(1).values(), () => 1, { onProgress: (progress) => unknown.push(progress) }).all();
    expect(unknown.at(-1)).toEqual({ done: 1, failed: 0, running: 0 });
  });
});

test('a listener that is async and fails ends it as one that throws does', async () => {
  const work = batch([1, 2, 3, 4, 5, 6, 7, 8, 9], (item) => item, {
    onProgress: (async () => {
      throw new Error('mine');
    }) as () => void,
  });
  await expect(work.all()).rejects.toThrow('mine');
});

test('thousands of requests go through a pipeline, a few at a time', async () => {
  let running = 0;
  let most = 0;
  const api = createFetch({
    fetch: async (request: Request) => {
      most = Math.max(most, ++running);
      await macrotask();
      running--;
      return new Response(new URL(request.url).pathname);
    },
  });
  let right = 0;
  const urls = numbers(2000).map((nth) => `https://api.example.com/${nth}`);
  const read = async (url: string, { signal }: { signal: AbortSignal }) =>
    (await api(url, { signal })).text();
  for await (const outcome of batch(urls, read, { concurrency: 50 }))
    if (outcome.status === 'fulfilled' && outcome.value === `/${outcome.index}`) right++;
  expect(right).toBe(2000);
  expect(most).toBeLessThanOrEqual(50);
  await api.close();
}, 30_000);

describe('what cannot be meant is an error that says what can', () => {
  test.each<[unknown, RegExp]>([
    [{ concurrency: 0 }, /batch\.concurrency: 0 .* whole number from 1/],
    [{ concurrency: 10, ahead: 5 }, /batch\.ahead: 5 .* at least the concurrency of 10/],
    [{ order: 'random' }, /batch\.order: 'random' .* given, finished/],
    [{ signal: 'stop' }, /batch\.signal: 'stop' .* AbortSignal/],
    [{ limit: 3 }, /batch\.limit: 3 .* unknown option; known: concurrency/],
  ])('%j', (options, message) => {
    expect(() => batch([1], () => 1, options as object)).toThrow(message);
  });

  test('and so is what is no list, and what is no work', () => {
    expect(() => batch(7 as never, () => 1)).toThrow(/batch\.items: 7/);
    expect(() => batch('abc', () => 1)).toThrow(/batch\.items: 'abc'/);
    expect(() => batch([1], 'work' as never)).toThrow(/batch\.work: 'work' .* function/);
  });
});
