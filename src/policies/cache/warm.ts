import { aborter, follow } from '../../core/abort.ts';
import { abortSignal, count, readOptions, typed } from '../../core/check.ts';
import { ConfigurationError } from '../../core/errors.ts';

/**
 * What became of a URL: `fresh` was there already; `stored` is there now; `stale` could not be fetched, and an older copy
 * is there; `not-stored` was answered with something that may not be kept.
 */
export type Warmed = 'fresh' | 'stored' | 'stale' | 'not-stored';

export interface WarmProgress {
  readonly url: string;
  readonly outcome: Warmed | 'failed';
  /** Only where it failed. */
  readonly error?: unknown;
  /** How many are done, this one included. */
  readonly done: number;
  readonly total: number;
}

/** A string is one URL and not a list of them. */
export type WarmList = Iterable<string | URL | Request> & object;

export interface WarmOptions {
  /** How many at once. Default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Told of each URL when it is done. */
  readonly onProgress?: (progress: WarmProgress) => void;
}

export type WarmReport = Record<Warmed, string[]> & {
  readonly failed: readonly { readonly url: string; readonly error: unknown }[];
};

/**
 * @param warm Fetches one.
 * @throws the reason of the signal; what has been fetched by then is kept.
 */
export async function warmer(
  closing: AbortSignal,
  wishes: WarmList,
  options: WarmOptions,
  warm: (wish: string | Request, signal: AbortSignal) => Promise<Warmed>,
): Promise<WarmReport> {
  const { concurrency, signal, onProgress } = readOptions<{
    concurrency: number;
    signal: AbortSignal | undefined;
    onProgress: WarmOptions['onProgress'];
  }>(
    'staleCache.warm',
    options,
    { concurrency: count(1), signal: abortSignal, onProgress: typed('function') },
    { concurrency: 4, signal: undefined, onProgress: undefined },
  );
  if (typeof wishes === 'string' || typeof wishes?.[Symbol.iterator] !== 'function')
    throw new ConfigurationError('staleCache.warm', wishes, 'expected a list of URLs or requests');
  const own = aborter();
  const unfollow = [follow(closing, own.abort), signal ? follow(signal, own.abort) : () => {}];
  const all = [...new Set([...wishes].map((wish) => (wish instanceof Request ? wish : String(wish))))];
  const waiting = [...all];
  const report = { fresh: [], stored: [], stale: [], 'not-stored': [], failed: [] } as {
    [K in keyof WarmReport]: WarmReport[K][number][];
  };
  let done = 0;
  const tell = (url: string, outcome: WarmProgress['outcome'], error?: unknown): void => {
    done++;
    const failure = error === undefined ? {} : { error };
    try {
      onProgress?.({ url, outcome, done, total: all.length, ...failure });
    } catch {
      // A listener cannot fail what it listens to.
    }
  };
  const worker = async (): Promise<void> => {
    for (let wish = waiting.shift(); wish !== undefined; wish = waiting.shift()) {
      own.signal.throwIfAborted();
      const url = wish instanceof Request ? wish.url : wish;
      try {
        const outcome = await warm(wish, own.signal);
        report[outcome].push(url);
        tell(url, outcome);
      } catch (error) {
        own.signal.throwIfAborted();
        report.failed.push({ url, error });
        tell(url, 'failed', error);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, worker));
    return report;
  } finally {
    for (const end of unfollow) end();
  }
}
