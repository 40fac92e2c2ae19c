import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { type BatchProgress, batch } from '../../src/observability/batch.ts';
import { macrotask } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';

/** Work that ends on demand. */
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

/** Lets all work that can continue do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await quiet();
}

describe('batch outcomes', () => {
  test('batch yields outcomes in order, one per item, in the shape of allSettled', async () => {
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

  test('batch yields outcomes in the order of the items, or with order: finished as they end', async () => {
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

  test('batch turns work that throws synchronously into a rejected outcome', async () => {
    const outcomes = await batch([1], () => {
      throw new Error('at once');
    }).all();
    expect(outcomes).toMatchObject([{ status: 'rejected', reason: { message: 'at once' } }]);
  });

  test('batch that has ended aborts nothing: its responses can still be read', async () => {
    const signals: AbortSignal[] = [];
    const batched = batch([1, 2], (_, { signal }) => signals.push(signal));
    expect(await batched.all()).toHaveLength(2);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  test('batch of no items has no outcomes', async () => {
    expect(await batch([], () => 1).all()).toEqual([]);
    expect(await batch(new Set<string>(), () => 1).all()).toEqual([]);
  });
});

describe('batch concurrency', () => {
  test('batch runs no more than `concurrency` items at once, and starts the next when one ends', async () => {
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

  test('batch starts no work before the first read', async () => {
    let begun = 0;
    const outcomes = batch(numbers(3), () => begun++);
    await settle();
    expect(begun).toBe(0);
    await outcomes.all();
    expect(begun).toBe(3);
  });

  test('batch starts no more work than `ahead` allows the reader', async () => {
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

  test('batch reads items from an async source only as it needs them', async () => {
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

  test('batch yields a finished outcome although the source is slow to yield the next item', async () => {
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
  test('the caller’s abort ends a batch at once with its reason, and aborts the work in flight', async () => {
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

  test('a batch with an aborted signal starts no work', async () => {
    let begun = 0;
    const all = batch(numbers(3), () => begun++, { signal: AbortSignal.abort('never') }).all();
    await expect(all).rejects.toBe('never');
    expect(begun).toBe(0);
  });

  test('a reader that leaves aborts the work in flight and closes the source', async () => {
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

  test('the first failure ends a batch if the option asks for it, and no more work starts', async () => {
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

  test('a source that fails ends the batch with its failure', async () => {
    function* source() {
      yield 1;
      throw new Error('no more');
    }
    await expect(batch(source(), (item) => item).all()).rejects.toThrow('no more');
  });

  test('a source that fails while it is closed hides no failure of the batch', async () => {
    const source = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: 1 }),
        return(): never {
          throw new Error('while it is closed');
        },
      }),
    };
    const work = () => {
      throw new Error('of the work');
    };
    await expect(batch(source, work, { stopAtFailure: true }).all()).rejects.toThrow('of the work');
  });

  test('a batch leaves no listener on the signal and no body unread', async () => {
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
    const respond = () =>
      new Response(
        new ReadableStream({
          cancel() {
            cancelled++;
          },
        }),
      );
    for await (const _ of batch(numbers(4), respond, { signal: abort.signal })) break;
    await settle();
    expect([listeners, cancelled]).toEqual([0, 3]);
  });
});

describe('batch progress', () => {
  test('onProgress is called whenever work starts or ends, with the total if it is known', async () => {
    const reported: BatchProgress[] = [];
    await batch(
      numbers(2),
      (item) => {
        if (item === 1) throw new Error('no');
      },
      { concurrency: 1, onProgress: (progress) => reported.push(progress) },
    ).all();
    expect(reported).toEqual([
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

test('an async onProgress that rejects ends the batch, as one that throws does', async () => {
  const work = batch([1, 2, 3, 4, 5, 6, 7, 8, 9], (item) => item, {
    onProgress: (async () => {
      throw new Error('mine');
    }) as () => void,
  });
  await expect(work.all()).rejects.toThrow('mine');
});

test('batch sends thousands of requests through a pipeline, a few at a time', async () => {
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

describe('an impossible batch option throws an error that lists what is allowed', () => {
  test.each<[unknown, RegExp]>([
    [{ concurrency: 0 }, /batch\.concurrency: 0 .* whole number from 1/],
    [{ concurrency: 10, ahead: 5 }, /batch\.ahead: 5 .* at least the concurrency of 10/],
    [{ order: 'random' }, /batch\.order: 'random' .* given, finished/],
    [{ signal: 'stop' }, /batch\.signal: 'stop' .* AbortSignal/],
    [{ limit: 3 }, /batch\.limit: 3 .* unknown option; known: concurrency/],
  ])('batch option %j', (options, message) => {
    expect(() => batch([1], () => 1, options as object)).toThrow(message);
  });

  test('batch rejects items that are no list, and work that is no function', () => {
    expect(() => batch(7 as never, () => 1)).toThrow(/batch\.items: 7/);
    expect(() => batch('abc', () => 1)).toThrow(/batch\.items: 'abc'/);
    expect(() => batch([1], 'work' as never)).toThrow(/batch\.work: 'work' .* function/);
  });
});
