import { macrotask as later } from '../../src/testing/clock.ts';

/**
 * Work of the platform itself: reading bodies, granting locks. In browsers that takes real time, in which virtual
 * time must not go on, or deadlines fire that no work missed. So these are watched in tests.
 */
const underWay = new Set<Promise<unknown>>();

/**
 * Work that takes longer than this is not slow but stalled by the test. In real ms. Streams are often made to stall; a
 * whole body or a lock seldom is, and other processes have a part in them, which on a busy machine takes its time.
 */
const STALLED = { stream: 50, whole: 1000, lock: 1000 };

function watched(work: Promise<unknown>, what: keyof typeof STALLED): void {
  const patience = new Promise<void>((give) => {
    const timer = setTimeout(give, STALLED[what]);
    const stop = (): void => clearTimeout(timer);
    work.then(stop, stop);
  });
  const ended: Promise<unknown> = Promise.race([work, patience]).then(over, over);
  function over(): void {
    underWay.delete(ended);
  }
  underWay.add(ended);
}

type Method = (this: unknown, ...args: unknown[]) => Promise<unknown>;

function watch(
  type: { prototype: object } | undefined,
  what: keyof typeof STALLED,
  ...names: string[]
): void {
  const prototype = type?.prototype as Record<string, Method> | undefined;
  for (const name of names) {
    const native = prototype?.[name];
    if (!prototype || !native) continue;
    prototype[name] = function (...args) {
      const work = native.apply(this, args);
      watched(work, what);
      return work;
    };
  }
}

watch(globalThis.ReadableStreamDefaultReader, 'stream', 'read');
watch(globalThis.Request, 'whole', 'arrayBuffer', 'blob', 'formData', 'json', 'text');
watch(globalThis.Response, 'stream', 'arrayBuffer', 'blob', 'formData', 'json', 'text');
watch(globalThis.Blob, 'whole', 'arrayBuffer', 'text');
watch(globalThis.SubtleCrypto, 'whole', 'encrypt', 'decrypt', 'digest');

/**
 * A lock is the platform's work until it is granted; what is done under it is not. A request that waits for longer than
 * that is the platform's work again when the one before it ends.
 */
function watchLocks(manager: { prototype: LockManager } | undefined): void {
  if (!manager) return;
  const native = manager.prototype.request as (...args: unknown[]) => Promise<unknown>;
  const waiting = new Map<unknown, Set<Promise<void>>>();
  manager.prototype.request = function (this: LockManager, ...args: unknown[]) {
    const [name] = args;
    const task = args.pop() as (lock: unknown) => unknown;
    const queue = waiting.get(name) ?? new Set();
    waiting.set(name, queue);
    const { promise: granted, resolve: begin } = Promise.withResolvers<void>();
    queue.add(granted);
    watched(granted, 'lock');
    const end = (): void => {
      queue.delete(granted);
      begin();
    };
    const ended = native.call(this, ...args, (lock: unknown) => {
      end();
      return task(lock);
    });
    const next = (): void => {
      end();
      for (const each of [...queue].slice(0, 1)) watched(each, 'lock');
    };
    ended.then(next, next);
    return ended;
  } as LockManager['request'];
}

watchLocks(globalThis.LockManager);

/** A message to other channels is under way until one that was opened for it has it, too. */
function watchChannels(Channel: typeof BroadcastChannel): void {
  const native = Channel.prototype.postMessage;
  Channel.prototype.postMessage = function (message: unknown) {
    const last = new Channel(this.name);
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      last.close();
      resolve();
    };
    last.onmessage = end;
    watched(arrived, 'whole');
    try {
      native.call(this, message);
    } catch (error) {
      end();
      throw error;
    }
  };
}

/** Elsewhere macrotasks are short already, and Deno cannot post once another channel has been closed. */
const isBrowser = !('setImmediate' in globalThis);
if (isBrowser) watchChannels(BroadcastChannel);

/** A browser delays each of a chain of timers by 4 ms, and a test has thousands of them; it does not delay messages. */
const macrotask = isBrowser ? messages() : later;

function messages(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return () =>
    new Promise((done) => {
      waiting.push(done);
      port2.postMessage(undefined);
    });
}

/** Settles when the platform has done what it was asked, and one macrotask has passed. */
export async function quiet(): Promise<void> {
  await macrotask();
  while (underWay.size > 0) {
    await Promise.all(underWay);
    await macrotask();
  }
}

/** Whether pages of this runtime cannot reach one another. */
export const noTabs = typeof BroadcastChannel !== 'function' || navigator.userAgent === 'Cloudflare-Workers';

/** Until it holds; a broadcast to another tab takes its time. */
export async function eventually(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 2_000) throw new Error('it never came');
    await quiet();
  }
}

/** Whether the platform sends a stream as a body: Firefox and WebKit take it for text. */
export const sendsStreams = ((): boolean => {
  const init = { method: 'POST', body: new ReadableStream(), duplex: 'half' } as RequestInit;
  return !new Request('https://api.example/', init).headers.has('content-type');
})();
