import { describe, expect, test } from 'vitest';
import { withLocalLock, withLock } from '../../src/primitives/locks.ts';
import { macrotask } from '../../src/testing/clock.ts';

const never = new AbortController().signal;

/** Tasks that record when they begin, and end on command. */
function tasks() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    task: (name: string) => () =>
      new Promise<string>((resolve) => {
        begun.push(name);
        ends.set(name, () => resolve(name));
      }),
    async end(name: string): Promise<void> {
      ends.get(name)?.();
      await macrotask();
    },
  };
}

describe('a line over an object', () => {
  test('is one after the other, in order, and each has its own result', async () => {
    const { begun, task, end } = tasks();
    const store = {};
    const all = ['a', 'b', 'c'].map((name) => withLocalLock(store)('lane', never, task(name)));
    for (const name of ['a', 'b', 'c']) {
      await macrotask();
      expect(begun.at(-1)).toBe(name);
      await end(name);
    }
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c']);
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  test('is not behind another name, nor behind what hangs over another object', async () => {
    const { begun, task } = tasks();
    const store = {};
    void withLocalLock(store)('lane', never, task('a'));
    void withLocalLock(store)('other', never, task('b'));
    void withLocalLock({})('lane', never, task('c'));
    await macrotask();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  test('goes on after one that fails', async () => {
    const store = {};
    const failing = withLocalLock(store)('lane', never, () => Promise.reject(new Error('mine')));
    const next = withLocalLock(store)('lane', never, async () => 'next');
    await expect(failing).rejects.toThrow('mine');
    expect(await next).toBe('next');
  });

  test('an aborted waiter leaves at once, and the order of the others is kept', async () => {
    const { begun, task, end } = tasks();
    const store = {};
    const enough = new AbortController();
    void withLocalLock(store)('lane', never, task('a'));
    const gone = withLocalLock(store)('lane', enough.signal, task('b'));
    const last = withLocalLock(store)('lane', never, task('c'));
    enough.abort(new Error('enough'));
    await expect(gone).rejects.toThrow('enough');
    await macrotask();
    expect(begun).toEqual(['a']);
    await end('a');
    await end('c');
    expect(await last).toBe('c');
    expect(begun).toEqual(['a', 'c']);
  });

  test('has nothing to say about what has begun', async () => {
    const { task, end } = tasks();
    const enough = new AbortController();
    const first = withLocalLock({})('lane', enough.signal, task('a'));
    await macrotask();
    enough.abort(new Error('enough'));
    await end('a');
    expect(await first).toBe('a');
  });
});

test('a name of any length is a lock of its own', async () => {
  const { signal } = new AbortController();
  const name = `${'n'.repeat(4_000)} `;
  const order: string[] = [];
  const first = withLock(`${name}a`, signal, async () => {
    await withLock(`${name}b`, signal, async () => void order.push('another'));
    order.push('first');
  });
  const second = withLock(`${name}a`, signal, async () => void order.push('second'));
  await Promise.all([first, second]);
  expect(order).toEqual(['another', 'first', 'second']);
});

/** Runs while each request of a lock is rejected with an error of this name. */
async function whileRejected(name: string, run: () => Promise<void>): Promise<void> {
  const locks = Object.getOwnPropertyDescriptor(navigator, 'locks');
  const request = () => Promise.reject(new DOMException('denied in this context', name));
  Object.defineProperty(navigator, 'locks', { configurable: true, value: { request } });
  try {
    await run();
  } finally {
    if (locks) Object.defineProperty(navigator, 'locks', locks);
    else Reflect.deleteProperty(navigator, 'locks');
  }
}

test('a page that may not use Web Locks has lines of its own', () =>
  whileRejected('SecurityError', async () => {
    const { begun, task, end } = tasks();
    const all = ['a', 'b'].map((name) => withLock('refused', never, task(name)));
    await macrotask();
    expect(begun).toEqual(['a']);
    await end('a');
    await end('b');
    expect(await Promise.all(all)).toEqual(['a', 'b']);
  }));

test('a page that has ended gets no lock, and runs nothing without one', () =>
  whileRejected('InvalidStateError', async () => {
    const { begun, task } = tasks();
    await expect(withLock('ended', never, task('a'))).rejects.toThrow('denied');
    expect(begun).toEqual([]);
  }));
