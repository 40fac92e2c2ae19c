import type { Bytes } from '../../primitives/units.ts';
import { asNetworkError } from '../errors.ts';
import { noteSettled } from './unread.ts';

/** How a response ended: the call is settled only then. */
export type BodyOutcome = 'none' | 'ended' | 'broken' | 'cancelled';

/** Watches a body until its end. */
export interface BodyWatcher {
  /** A reader waits for the next chunk. @param whole It wants the whole body (`json()`, `text()`), and not a stream. */
  waiting?(whole: boolean): void;
  /** The chunk, the end or a failure has come. @param whole As for `waiting`. */
  arrived?(whole: boolean): void;
  /** Bytes that no clone has read before, in order. They belong to the reader: a watcher that keeps them copies them. */
  chunk?(bytes: Uint8Array): void;
  /** Called once. */
  settled?(how: BodyOutcome, error?: unknown): void;
  /** `settled` is called also if the response is collected unread; if the platform reads the body, possibly no sooner. */
  readonly mustSettle?: boolean;
}

/** What a reader gives; the types of Node have no name for it. */
export type ReadResult = Awaited<ReturnType<ReadableStreamDefaultReader<Bytes>['read']>>;

/** What is needed of the platform's stream. */
export interface BodySource {
  readonly locked: boolean;
  getReader(): Pick<ReadableStreamDefaultReader<Bytes>, 'read' | 'cancel'>;
  cancel(reason?: unknown): Promise<void>;
}

export interface WatchedBody {
  /** Ends the body with an error for all its readers, now or later, and closes the connection. */
  break(reason: unknown): void;
  /** The next chunk; as a part of the whole body, and not of a stream. */
  readWhole(): Promise<ReadResult>;
  cancel(reason?: unknown): Promise<void>;
}

/** Cancels the body of a response that will not be read. */
export function dropBody(response: Response | undefined): void {
  // A locked body has a reader, which ends it.
  response?.body?.cancel().catch(() => {});
}

/** A list of watchers. A body has a few, added one by one; an array that grows costs more. */
interface Watching {
  readonly watcher: BodyWatcher;
  next: Watching | undefined;
}

/** Nothing can read this response any more, or there is nothing to read. */
export const isGone = (response: Response): boolean => response.bodyUsed || response.body === null;

/** The state that all clones of a response share. */
export class BodyState {
  bodies: readonly Body[];
  /** How many bytes the foremost reader has read. */
  bytesSeen = 0;
  ended: { how: BodyOutcome; error?: unknown } | undefined;
  first: Watching | undefined;
  #last: Watching | undefined;

  constructor(body: Body) {
    this.bodies = [body];
  }

  add(watcher: BodyWatcher): void {
    if (this.ended) {
      watcher.settled?.(this.ended.how, this.ended.error);
      return;
    }
    const watching = { watcher, next: undefined };
    if (this.#last) this.#last.next = watching;
    else this.first = watching;
    this.#last = watching;
  }

  settle(how: BodyOutcome, error?: unknown): void {
    if (this.ended) return;
    this.ended = { how, error };
    for (const body of this.bodies) noteSettled(body);
    for (let each = this.first; each; each = each.next) each.watcher.settled?.(how, error);
    this.first = undefined;
    this.#last = undefined;
  }

  break(reason: unknown): void {
    if (this.ended) return;
    this.settle('broken', reason);
    for (const body of this.bodies) body.applyError(reason);
  }
}

/** One body. Refers to the platform's stream and not to the response, so that a dropped response can be collected. */
export class Body implements WatchedBody {
  readonly state: BodyState;
  native: BodySource;
  #reader: ReturnType<BodySource['getReader']> | undefined;
  handedOut: ReadableStream<Bytes> | undefined;
  /** Only a response refers to the stream. */
  isReleased = false;
  #read = 0;
  #cancelled = false;
  /** A reader wants the whole body. */
  #whole = false;
  /** The body that this one is read from; see `readsFrom`. */
  inner: Body | undefined;

  /** @param state Of the response that this one is a clone of. */
  constructor(native: BodySource, state?: BodyState) {
    this.native = native;
    if (state) state.bodies = [...state.bodies, this];
    this.state = state ?? new BodyState(this);
  }

  get locked(): boolean {
    return (this.handedOut ?? this.native).locked;
  }

  get failedBeforeRead(): boolean {
    return this.state.ended?.how === 'broken' && !this.#reader;
  }

  /** What `response.body` is: it reads only when it is read, so the platform's stream stays free to be cloned. */
  get stream(): ReadableStream<Bytes> {
    this.handedOut ??= streamOf(this);
    return this.handedOut;
  }

  read(): Promise<ReadResult> {
    const { state } = this;
    if (state.ended?.how === 'broken') return Promise.reject(state.ended.error);
    this.#reader ??= this.native.getReader();
    for (let each = state.first; each; each = each.next) each.watcher.waiting?.(this.#whole);
    return this.#reader.read().then(this.#arrived, this.#failed);
  }

  readonly #arrived = (result: ReadResult): ReadResult => {
    const { state } = this;
    // Cancelling a stream ends the reads that wait for it as if it had ended.
    if (state.ended?.how === 'broken') throw state.ended.error;
    for (let each = state.first; each; each = each.next) each.watcher.arrived?.(this.#whole);
    // This clone was cancelled while the read waited: others may still be reading the body.
    if (this.#cancelled) return result;
    if (result.done) state.settle('ended');
    else {
      this.#notifyChunk(result.value);
      // The buffer belongs to the reader, which may detach it; clones may be given the same one.
      if (state.bodies.length > 1) return { done: false, value: new Uint8Array(result.value) };
    }
    return result;
  };

  readonly #failed = (error: unknown): never => {
    this.state.break(asNetworkError(error));
    throw this.state.ended?.error;
  };

  readWhole(): Promise<ReadResult> {
    this.wantWhole();
    return this.read();
  }

  /** From here on the whole body is read, and not a stream. */
  wantWhole(): void {
    this.#whole = true;
    this.inner?.wantWhole();
  }

  /** Reads all; through the stream that was handed out, if any, so that its lock is right. */
  readAll(stream = this.handedOut): Promise<Bytes> {
    this.wantWhole();
    const reader = stream?.getReader() ?? this;
    let chunks: Bytes[] | undefined;
    let length = 0;
    const next = ({ done, value }: ReadResult): Bytes | Promise<Bytes> => {
      if (done) return gathered(chunks ?? [], length);
      // Most bodies are of one chunk, and a list that begins empty makes room for sixteen more.
      if (chunks) chunks.push(value);
      else chunks = [value];
      length += value.byteLength;
      return reader.read().then(next);
    };
    return reader.read().then(next);
  }

  /** Readers of clones go on. */
  #leave(): void {
    const { state } = this;
    // It was cancelled before it was collected.
    if (!state.bodies.includes(this)) return;
    state.bodies = state.bodies.filter((body) => body !== this);
    if (state.bodies.length === 0) state.settle('cancelled');
  }

  cancel(reason?: unknown): Promise<void> {
    this.#cancelled = true;
    const given = (this.#reader ?? this.native).cancel(reason);
    this.#leave();
    if (this.state.bodies.length === 0 && !this.inner) return given;
    // The platform settles it only when all clones are cancelled: do not wait for that.
    given.catch(() => {});
    return Promise.resolve();
  }

  break(reason: unknown): void {
    this.state.break(reason);
  }

  /** Cancels the platform's stream after a break. */
  applyError(reason: unknown): void {
    if (this.#reader || !this.native.locked) (this.#reader ?? this.native).cancel(reason).catch(() => {});
  }

  /** The response was collected, or the stream that was released. */
  abandoned(): void {
    if (this.isReleased) this.cancel().catch(() => {});
    // A script may hold the stream. The platform may read by itself: its stream is left to it.
    else if (!this.handedOut && !this.#reader) this.#leave();
  }

  #notifyChunk(bytes: Bytes): void {
    this.#read += bytes.byteLength;
    const unseen = this.#read - this.state.bytesSeen;
    if (unseen <= 0) return;
    this.state.bytesSeen = this.#read;
    // Clones need not be cut into the same chunks; Firefox's are not.
    const newBytes = unseen < bytes.byteLength ? bytes.subarray(bytes.byteLength - unseen) : bytes;
    for (let each = this.state.first; each; each = each.next) each.watcher.chunk?.(newBytes);
  }
}

/** @param made Receives an object that lives exactly as long as the stream may be read. */
export function streamOf(body: Body, made = (_source: object): void => {}): ReadableStream<Bytes> {
  const source = {
    async pull(controller: ReadableStreamDefaultController<Bytes> | ReadableByteStreamController) {
      let { done, value } = await body.read();
      // A stream of bytes takes no empty chunks; others may have them.
      while (!done && value?.byteLength === 0) ({ done, value } = await body.read());
      if (!done && value) return controller.enqueue(value);
      controller.close();
      // A reader that brought its own buffer waits for it.
      if ('byobRequest' in controller) controller.byobRequest?.respond(0);
    },
    cancel: (reason?: unknown) => body.cancel(reason),
  };
  const bytes = { ...source, type: 'bytes' as const };
  try {
    const stream = new ReadableStream(bytes, { highWaterMark: 0 });
    made(bytes);
    return stream;
  } catch {
    // WebKit has no byte streams; its own bodies are plain streams, too.
    made(source);
    return new ReadableStream(source, { highWaterMark: 0 });
  }
}

/** As `concat`, but one chunk alone is not copied. */
export const gathered = (chunks: readonly Bytes[], length: number): Bytes =>
  chunks.length === 1 ? (chunks[0] as Bytes) : concat(chunks, length);

/** Joins chunks whose total length is known. */
export function concat(chunks: readonly Uint8Array[], length: number): Bytes {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
