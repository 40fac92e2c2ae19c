import { createAborter, follow } from '../core/abort.ts';
import { dropBody } from '../core/body.ts';
import { abortSignal, integer, ofType, oneOf, readOptions } from '../core/check.ts';
import { ConfigurationError } from '../core/errors.ts';

/** What became of one item, as `Promise.allSettled` says it. */
export type BatchOutcome<T, R> = { readonly item: T; readonly index: number } & PromiseSettledResult<R>;

export interface BatchProgress {
  /** Ended, well or not. */
  readonly done: number;
  readonly failed: number;
  readonly running: number;
  /** How many there are, where that is known: of a list, a `Set` or a `Map`. */
  readonly total?: number;
}

export interface BatchOptions {
  /** How many are under way at once. Default 6. */
  readonly concurrency?: number;
  /** How many may be under way or done and not yet taken: whoever reads slowly slows down the rest. Default 4 × `concurrency`. */
  readonly ahead?: number;
  /** In which order outcomes come. Default `'given'`. */
  readonly order?: 'given' | 'finished';
  /** The first failure aborts what is under way and is thrown. Default false: each outcome says how its item ended. */
  readonly stopAtFailure?: boolean;
  /** Ends all of it; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Told whenever one has begun or ended. */
  readonly onProgress?: (progress: BatchProgress) => void;
}

export interface BatchContext {
  readonly index: number;
  /** Aborts when nobody wants the outcome any more: pass it on. */
  readonly signal: AbortSignal;
}

/** Outcomes, one after the other; nothing begins before the first is asked for. */
export interface Batch<T, R> extends AsyncIterable<BatchOutcome<T, R>> {
  /** All of them at once, for as many as fit into memory. */
  all(): Promise<BatchOutcome<T, R>[]>;
}

/**
 * Does the same with many items, a few at a time. Memory is bounded by `ahead`, however many there are.
 *
 * @param items Read as they are needed; may come one after the other (`AsyncIterable`).
 * @param work What it throws is the outcome of its item.
 *
 * @example
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

type Settings = Required<Omit<BatchOptions, 'signal' | 'onProgress'>> & BatchOptions;

function readBatch(options: BatchOptions): Settings {
  const read = readOptions<BatchOptions>(
    'batch',
    options,
    {
      concurrency: integer(1),
      ahead: integer(1),
      order: oneOf('given', 'finished'),
      stopAtFailure: ofType<boolean>('boolean'),
      signal: abortSignal,
      onProgress: ofType('function'),
    },
    {},
  );
  const { concurrency = 6, ahead = 4 * concurrency, order = 'given', stopAtFailure = false } = read;
  if (ahead < concurrency)
    throw new ConfigurationError('batch.ahead', ahead, `expected at least the concurrency of ${concurrency}`);
  return { ...read, concurrency, ahead, order, stopAtFailure };
}

function iterable(items: unknown): void {
  const given = Object(items) as Partial<Iterable<unknown> & AsyncIterable<unknown>>;
  // A text is a list of characters, which nobody means.
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
  settings: Settings,
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
    const told: unknown = onProgress?.({ done, failed, running, ...(total !== undefined && { total }) });
    // Whatever its type says it may be async; what it throws ends the batch either way.
    if (told instanceof Promise) told.catch(stop);
  };

  const end = (outcome: Outcome): void => {
    running--;
    done++;
    if (outcome.status === 'rejected') failed++;
    if (stopped) dropped(outcome);
    // In the order in which they ended they are numbered anew.
    else ready.set(order === 'given' ? outcome.index : done - 1, outcome);
    if (stopAtFailure && outcome.status === 'rejected') stop(outcome.reason);
    change.ring();
    progress();
  };

  const begin = (item: T): void => {
    const index = begun++;
    running++;
    // Called in a later step, so that what it throws at once is an outcome as well.
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

  try {
    if (!stopped) feed().catch(stop);
    for (;;) {
      if (stopped) throw stopped.reason;
      const outcome = ready.get(taken);
      if (outcome) {
        ready.delete(taken++);
        change.ring();
        yield outcome;
      } else if (exhausted && taken === begun) return;
      else await change.next();
    }
  } finally {
    unfollow();
    stop(new DOMException('nobody takes the outcomes of this batch any more', 'AbortError'));
    for (const outcome of ready.values()) dropped(outcome);
    // It may hang in the middle of something: nobody waits for it.
    if (!exhausted) Promise.resolve(source.return?.()).catch(() => {});
  }
}

/** Nobody will read it. */
function dropped(outcome: PromiseSettledResult<unknown>): void {
  if (outcome.status === 'fulfilled' && outcome.value instanceof Response) dropBody(outcome.value);
}

function sizeOf(items: object): number | undefined {
  if (Array.isArray(items)) return items.length;
  return items instanceof Set || items instanceof Map ? items.size : undefined;
}

/** Whoever waits is woken by the next ring. */
function bell(): { ring(): void; next(): Promise<void> } {
  const waiting: (() => void)[] = [];
  return {
    ring() {
      for (const wake of waiting.splice(0)) wake();
    },
    next: () => new Promise((wake) => waiting.push(wake)),
  };
}
