import type { BodyWatcher, WatchedBody } from '../core/body/body.ts';
import { knownSize, LARGE_UPLOAD } from '../core/body/request-body.ts';
import { watchBody } from '../core/body/watched-response.ts';
import { type Call, named, type Policy } from '../core/contract.ts';
import { TimeoutError } from '../core/errors.ts';
import { type OnLimit, type Run, stage } from '../core/stage.ts';
import { isStreaming } from '../http/streaming.ts';
import type { Duration } from '../primitives/units.ts';
import {
  durationOrFalse,
  perCall,
  readSettings,
  type SettingsOf,
  settingsTable,
} from '../primitives/validate.ts';

export interface TimeoutOptions {
  /** Until the response is returned: all attempts, waits and queues. Default 30 s, or `attempt` if that is more. */
  readonly total?: Duration | false;
  /** From sending one request to its headers. Default 10 s. */
  readonly attempt?: Duration | false;
  /**
   * Between two chunks of a body, while a reader waits for one. Default 10 s for reads of the whole body (`json()`, `text()`,
   * …), and none for a body that is read chunk by chunk or is of a streaming type: pauses are part of them.
   */
  readonly idle?: Duration | false;
}

/** A duration alone is the attempt's. `false` switches off all three. */
export type TimeoutOption = TimeoutOptions | Duration | false;

const OPTIONS = /* @__PURE__ */ settingsTable({
  total: [30_000, durationOrFalse],
  attempt: [10_000, durationOrFalse],
  idle: [10_000, durationOrFalse],
});

interface Limits extends SettingsOf<typeof OPTIONS> {
  /** The options that the application has named. */
  configured: TimeoutOptions;
}

/** A duration alone is the attempt's. */
export function asTimeoutOptions(given: unknown): TimeoutOptions {
  if (given === undefined) return {};
  if (given === false) return { total: given, attempt: given, idle: given };
  return typeof given === 'object' ? (given as TimeoutOptions) : { attempt: given as Duration };
}

/** @param own What it names wins. An `attempt` that is named alone may be longer than the `total`, which is then as long. */
export function readLimits(base: unknown, own: unknown = base): Limits {
  const [outer, last] = [asTimeoutOptions(base), asTimeoutOptions(own)];
  const read = readSettings('timeout', OPTIONS, outer, last);
  const naming = last.attempt === undefined ? outer : last;
  if (naming.attempt !== undefined && naming.total === undefined && last.total === undefined)
    read.total = Math.max(read.total, read.attempt);
  return { ...read, configured: { ...outer, ...last } };
}

const isLargeUpload = ({ outgoing }: Run): boolean =>
  outgoing.isMade && (knownSize(outgoing.request) ?? Infinity) > LARGE_UPLOAD;

/**
 * Bounds the whole call until its response is returned: attempts, backoff and queues.
 *
 * @param base Default: `total` 30 s; not for uploads over 256 kB or of unknown size unless it was named.
 * @throws {TimeoutError} code `timeout-total`.
 *
 * @example
 * const fetch = pipeline([totalTimeout({ total: '20s' }), retry()]);
 */
export function totalTimeout(base?: TimeoutOption): Policy {
  const limits = perCall(readLimits, base);
  return named(
    'totalTimeout',
    stage({
      enter(run) {
        const { total, configured } = limits(run.call.options.timeout);
        if (total === Infinity || (configured.total === undefined && isLargeUpload(run))) return;
        run.limit(total, totalPassed);
        run.deadline = run.ticks + total;
      },
    }),
    { option: 'timeout', read: limits },
  );
}

/**
 * Bounds one attempt: the time to its headers, and the time between two chunks of its body.
 *
 * @param base Default: `attempt` 10 s; `idle` 10 s for reads of the whole body.
 * @throws {TimeoutError} code `timeout-attempt`; while the body is read, `timeout-idle`.
 *
 * @example
 * const fetch = pipeline([retry(), attemptTimeout('3s')]);
 */
export function attemptTimeout(base?: TimeoutOption): Policy {
  const limits = perCall(readLimits, base);
  return named(
    'attemptTimeout',
    stage({
      enter(run) {
        const { attempt, configured } = limits(run.call.options.timeout);
        const isUnbounded = configured.attempt === undefined && isLargeUpload(run);
        if (!isUnbounded) run.limit(attempt, attemptPassed);
      },
      leave({ response, call }) {
        const { idle, configured } = limits(call.options.timeout);
        if (!response || idle === Infinity) return;
        const wholeOnly = configured.idle === undefined;
        if (!wholeOnly || !isStreaming(response.headers.get('content-type')))
          new IdleLimit(idle, wholeOnly, call).begin(response);
      },
    }),
    { option: 'timeout', read: limits },
  );
}

function timeout(
  limit: 'total' | 'attempt' | 'idle',
  ms: number,
  { id: callId, origin, emit }: Call,
): TimeoutError {
  emit?.({ type: 'timeout', callId, origin, limit, ms });
  return new TimeoutError(limit, ms, { callId, origin });
}

const totalPassed: OnLimit = (run, ms) => timeout('total', ms, run.call);
const attemptPassed: OnLimit = (run, ms) => timeout('attempt', ms, run.call);

/** Breaks a body when a reader has waited too long for a chunk: a slow reader is not the origin's fault. */
class IdleLimit implements BodyWatcher {
  readonly #ms: number;
  readonly #wholeOnly: boolean;
  readonly #call: Call;
  #body: WatchedBody | undefined;
  /** Clones may be read at the same time, each by a reader of its own. */
  #waiting = 0;
  /** In ticks, while a reader waits. */
  #since: number | undefined;
  /** One timer for a body, not one for a chunk: it checks how long the reader has been waiting. */
  #cancel: (() => void) | undefined;

  /** @param wholeOnly The limit is for reads of the whole body, and not for streams. */
  constructor(ms: number, wholeOnly: boolean, call: Call) {
    this.#ms = ms;
    this.#wholeOnly = wholeOnly;
    this.#call = call;
  }

  begin(response: Response): void {
    this.#body = watchBody(response, this);
  }

  waiting(whole: boolean): void {
    if (this.#wholeOnly && !whole) return;
    this.#waiting++;
    this.#since = this.#ticks;
    if (!this.#cancel) this.#arm(this.#ms);
  }

  arrived(whole: boolean): void {
    if (this.#wholeOnly && !whole) return;
    this.#since = --this.#waiting > 0 ? this.#ticks : undefined;
  }

  settled(): void {
    this.#cancel?.();
  }

  get #ticks(): number {
    return this.#call.host.clock.ticks();
  }

  #arm(ms: number): void {
    this.#cancel = this.#call.host.clock.after(ms, () => this.#look());
  }

  #look(): void {
    this.#cancel = undefined;
    if (this.#since === undefined) return;
    const left = this.#ms - (this.#ticks - this.#since);
    // Fractions of a millisecond may never add up to the limit.
    if (left < 1) this.#body?.break(timeout('idle', this.#ms, this.#call));
    else this.#arm(left);
  }
}
