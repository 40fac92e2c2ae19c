import { macrotask } from '../../src/testing/clock.ts';

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

/** A lock is the platform's work until it is granted; what is done under it is not. */
function watchLocks(manager: { prototype: LockManager } | undefined): void {
  if (!manager) return;
  const native = manager.prototype.request as (...args: unknown[]) => Promise<unknown>;
  manager.prototype.request = function (this: LockManager, ...args: unknown[]) {
    const task = args.pop() as (lock: unknown) => unknown;
    return new Promise((resolve, reject) => {
      const granted = new Promise<void>((begin) => {
        native
          .call(this, ...args, (lock: unknown) => {
            begin();
            return task(lock);
          })
          .then(resolve as (value: unknown) => void, (error) => {
            begin();
            reject(error);
          });
      });
      watched(granted, 'lock');
    });
  } as LockManager['request'];
}

watchLocks(globalThis.LockManager);

/** Settles when the platform has done what it was asked, and one macrotask has passed. */
export async function quiet(): Promise<void> {
  await macrotask();
  while (underWay.size > 0) {
    await Promise.all(underWay);
    await macrotask();
  }
}
