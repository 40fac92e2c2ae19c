import {
  createFetch,
  type Duration,
  type HoldfastEvent,
  type HoldfastFetch,
  isFailure,
  isQueued,
  type Outbox,
  type OutboxNotification,
  type OutboxOptions,
  outbox,
} from '../../../../../src/index.ts';

export interface Settings {
  readonly origin: string;
  readonly options?: OutboxOptions;
  /** How long one sending may take. */
  readonly attempt?: Duration;
  /** The reaction to a 409. */
  readonly onConflict?: 'again';
}

export interface Write {
  readonly id?: string;
  /** Default `/notes`. */
  readonly path?: string;
  readonly lane?: string;
  readonly expiresAfter?: false;
  /** Bytes of filling. */
  readonly size?: number;
  readonly body?: BodyInit;
}

/** The result of a call: a response or an error. */
export type Outcome =
  | { readonly status: number; readonly queued: boolean; readonly id: string | undefined }
  /** The error's code; `hung` if it did not end; else an error that is not the library's. */
  | { readonly failed: string };

/** Longer than any limit of the library for one call: a store may take 10 s twice. */
const TIMEOUT = 25_000;

/** A store that failed on a busy machine is used again after `pollInterval`, a minute. */
const SETTLED = 90_000;

/** A page with an outbox. */
export class Writer {
  readonly box: Outbox;
  readonly news: OutboxNotification[] = [];
  /** For the message of a failed test. */
  readonly #events: HoldfastEvent[] = [];
  readonly #origin: string;
  readonly #fetch: HoldfastFetch;

  constructor({ origin, options = {}, attempt = '5s', onConflict }: Settings) {
    this.#origin = origin;
    this.box = outbox({ ...options, ...(onConflict && { onConflict: () => onConflict }) });
    this.#fetch = createFetch({
      partition: 'ann',
      outbox: this.box,
      timeout: { attempt },
      retry: false,
      breaker: false,
      onEvent: (event) => this.#events.push(event),
    });
    this.box.subscribe((news) => this.news.push(news));
  }

  give(write: Write): Promise<Outcome> {
    const { id, path = '/notes', lane, expiresAfter, size = 0 } = write;
    const body = write.body ?? JSON.stringify({ item: id, filling: 'x'.repeat(size) });
    const wanted = {
      ...(id !== undefined && { id }),
      ...(lane !== undefined && { lane }),
      ...(expiresAfter === false && { expiresAfter }),
    };
    return outcome(this.#fetch(this.#origin + path, { method: 'POST', body, holdfast: { outbox: wanted } }));
  }

  /** Every management call of an outbox, and its result. */
  async calls(): Promise<Record<string, string>> {
    const { box } = this;
    const calls = {
      entries: () => box.entries(),
      counts: () => box.counts(),
      lanes: () => box.lanes(),
      result: () => box.result('nobody'),
      request: () => box.request('nobody'),
      edit: () => box.edit('nobody', (request) => request),
      replay: () => box.replay('nobody'),
      remove: () => box.remove('nobody'),
      purge: () => box.purge(),
      export: () => box.export()[Symbol.asyncIterator]().next(),
      clear: () => box.clear(),
      flush: () => box.flush(),
      pause: () => box.pause({ lane: 'no lane' }),
      resume: () => box.resume({ lane: 'no lane' }),
    };
    const ends = Object.entries(calls).map(async ([name, call]) => [name, await end(call())]);
    return Object.fromEntries(await Promise.all(ends));
  }

  /** The outcomes, by id, as soon as all of these are settled. @throws when that takes too long. */
  settled(ids: readonly string[]): Promise<Record<string, string>> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const ends = this.news.flatMap((news) =>
          news.type === 'finished'
            ? [[news.id, news.outcome + (news.reason ? `: ${news.reason}` : '')] as const]
            : [],
        );
        const found = Object.fromEntries(ends);
        if (ids.some((id) => !found[id])) return;
        clearTimeout(timer);
        stop();
        resolve(found);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`not settled: ${ids}; ${JSON.stringify(this.#events)}`));
      }, SETTLED);
      const stop = this.box.subscribe(look);
      look();
    });
  }

  close(): Promise<void> {
    return this.#fetch.close();
  }
}

async function outcome(promise: Promise<Response>): Promise<Outcome> {
  const ended = promise.then(async (response) => ({
    status: response.status,
    queued: isQueued(response),
    id: isQueued(response) ? ((await response.json()) as { id: string }).id : undefined,
  }));
  return inTime(ended).catch((error) => ({ failed: codeOf(error) }));
}

/** @returns `ok`, or the `codeOf` of the error. */
export const end = (call: Promise<unknown>): Promise<string> => inTime(call).then(() => 'ok', codeOf);

function inTime<T>(call: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, TIMEOUT, 'hung');
  });
  return Promise.race([call, hung]).finally(() => clearTimeout(timer));
}

const codeOf = (error: unknown): string => (isFailure(error) ? error.code : String(error));
