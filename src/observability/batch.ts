import { dropBody } from '../core/body/body.ts';
import { createAborter, follow } from '../primitives/abort.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import { abortSignal, integer, ofType, oneOf, readSettings } from '../primitives/validate.ts';

/** The outcome of one item, in the form of `Promise.allSettled`. */
export type BatchOutcome<T, R> = { readonly item: T; readonly index: number } & PromiseSettledResult<R>;

export interface BatchProgress {
  /** Settled, fulfilled or rejected. */
  readonly done: number;
  readonly failed: number;
  readonly running: number;
  /** How many items there are, if that is known: of a list, a `Set` or a `Map`. */
  readonly total?: number;
}

export interface BatchOptions {
  /** How many are under way at once. Default 6. */
  readonly concurrency?: number;
  /** How many items may be running, or done and not yet read: a slow reader slows down the batch. Default 4 × `concurrency`. */
  readonly ahead?: number;
  /** In which order outcomes come. Default `'given'`. */
  readonly order?: 'given' | 'finished';
  /** The first failure aborts the running items and is thrown. Default false: each outcome has the failure of its item. */
  readonly stopAtFailure?: boolean;
  /** Ends the batch; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Called when an item begins and when it settles. */
  readonly onProgress?: (progress: BatchProgress) => void;
}

export interface BatchContext {
  readonly index: number;
  /** Aborts when the batch has ended early: pass it on. */
  readonly signal: AbortSignal;
}

/** Outcomes, one after the other; the first read starts the work. */
export interface Batch<T, R> extends AsyncIterable<BatchOutcome<T, R>> {
  /** All outcomes at once, if they fit into memory. */
  all(): Promise<BatchOutcome<T, R>[]>;
}

/**
 * Does the same with many items, a few at a time. Memory is bounded by `ahead`, however many there are.
 *
 * @param items Read as they are needed; may come one after the other (`AsyncIterable`).
 * @param work An error that it throws is the outcome of its item.
 *
 * @example
 * const api = createClient();
 * for await (const { item, status } of batch(urls, (url, { signal }) => api.get(url, { signal }).json())) show(item, status);
 */
export function batch<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T, context: BatchContext) => R | PromiseLike<R>,
  options: BatchOptions = {},
): Batch<T, Awaited<R>> {
  const settings = readBatch(options);
  iterable(items);
  ofType('function')(work, 'batch.work');
  const outcomes = () => run(items, work, settings);
  return {
    [Symbol.asyncIterator]: outcomes,
    async all() {
      const all: BatchOutcome<T, Awaited<R>>[] = [];
      for await (const outcome of outcomes()) all.push(outcome);
      return all.sort((a, b) => a.index - b.index);
    },
  };
}

function readBatch(options: BatchOptions) {
  const settings = readSettings(
    'batch',
    {
      concurrency: [6, integer(1)],
      ahead: [undefined, integer(1)],
      order: ['given' as const, oneOf('given', 'finished')],
      stopAtFailure: [false, ofType<boolean>('boolean')],
      signal: [undefined, abortSignal],
      onProgress: [undefined, ofType<BatchOptions['onProgress']>('function')],
    },
    options,
  );
  const { concurrency, ahead = 4 * concurrency } = settings;
  if (ahead < concurrency)
    throw new ConfigurationError('batch.ahead', ahead, `expected at least the concurrency of ${concurrency}`);
  return { ...settings, ahead };
}

function iterable(items: unknown): void {
  const given = Object(items) as Partial<Iterable<unknown> & AsyncIterable<unknown>>;
  // A string is iterable, but a list of characters is never meant.
  if (typeof items === 'string' || !(given[Symbol.iterator] ?? given[Symbol.asyncIterator]))
    throw new ConfigurationError(
      'batch.items',
      items,
      'expected a list or something else that can be iterated',
    );
}

async function* run<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T, context: BatchContext) => R | PromiseLike<R>,
  settings: ReturnType<typeof readBatch>,
): AsyncGenerator<BatchOutcome<T, Awaited<R>>, void, undefined> {
  type Outcome = BatchOutcome<T, Awaited<R>>;
  const { concurrency, ahead, order, stopAtFailure, signal, onProgress } = settings;
  const total = sizeOf(items);
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const inner = createAborter();
  const ready = new Map<number, Outcome>();
  const change = bell();
  let [begun, taken, running, done, failed] = [0, 0, 0, 0, 0];
  let exhausted = false;
  let stopped: { readonly reason: unknown } | undefined;

  const stop = (reason: unknown): void => {
    stopped ??= { reason };
    inner.abort(reason);
    change.ring();
  };
  const unfollow = signal ? follow(signal, stop) : () => {};
  const progress = (): void => {
    const settled: unknown = onProgress?.({ done, failed, running, ...(total !== undefined && { total }) });
    // A listener may be async in spite of its type; its error ends the batch either way.
    if (settled instanceof Promise) settled.catch(stop);
  };

  const end = (outcome: Outcome): void => {
    running--;
    done++;
    if (outcome.status === 'rejected') failed++;
    if (stopped) dropOutcome(outcome);
    // For the order 'finished', outcomes are numbered as they come.
    else ready.set(order === 'given' ? outcome.index : done - 1, outcome);
    if (stopAtFailure && outcome.status === 'rejected') stop(outcome.reason);
    change.ring();
    progress();
  };

  const begin = (item: T): void => {
    const index = begun++;
    running++;
    // Called in a later step, so that a synchronous error is an outcome, too.
    Promise.resolve()
      .then(() => work(item, { index, signal: inner.signal }))
      .then(
        (value) => end({ item, index, status: 'fulfilled', value: value as Awaited<R> }),
        (reason) => end({ item, index, status: 'rejected', reason }),
      )
      // From here on it can only be the listener's.
      .catch(stop);
    progress();
  };

  const feed = async (): Promise<void> => {
    while (!stopped && !exhausted) {
      if (running >= concurrency || begun - taken >= ahead) {
        await change.next();
        continue;
      }
      const next = await source.next();
      if (next.done) exhausted = true;
      else if (!stopped) begin(next.value);
    }
    change.ring();
  };

  let isDone = false;
  try {
    if (!stopped) feed().catch(stop);
    for (;;) {
      if (stopped) throw stopped.reason;
      const outcome = ready.get(taken);
      if (outcome) {
        ready.delete(taken++);
        change.ring();
        yield outcome;
      } else if (exhausted && taken === begun) {
        isDone = true;
        return;
      } else await change.next();
    }
  } finally {
    unfollow();
    // The bodies of its responses may still be read when all is done.
    if (!isDone) stop(new DOMException('the reader of this batch has stopped', 'AbortError'));
    for (const outcome of ready.values()) dropOutcome(outcome);
    // The source may hang: do not wait for it.
    if (!exhausted) (async () => source.return?.())().catch(() => {});
  }
}

/** Cancels the body of a response that will not be read. */
function dropOutcome(outcome: PromiseSettledResult<unknown>): void {
  if (outcome.status === 'fulfilled' && outcome.value instanceof Response) dropBody(outcome.value);
}

function sizeOf(items: object): number | undefined {
  if (Array.isArray(items)) return items.length;
  return items instanceof Set || items instanceof Map ? items.size : undefined;
}

/** Wakes all waiting readers at each ring. */
function bell(): { ring(): void; next(): Promise<void> } {
  const waiting: (() => void)[] = [];
  return {
    ring() {
      for (const wake of waiting.splice(0)) wake();
    },
    next: () => new Promise((wake) => waiting.push(wake)),
  };
}
