import {
  type Attempt,
  type Category,
  conceal,
  equip,
  type Facts,
  type Failure,
  failureToJSON,
  HoldfastError,
  isFailure,
  withoutQueries,
} from '../primitives/failure.ts';

/** A time limit of holdfast has passed: code `timeout-total`, `timeout-attempt` or `timeout-idle`. */
export class TimeoutError extends HoldfastError {
  override name = 'TimeoutError';

  constructor(limit: 'total' | 'attempt' | 'idle', ms: number, facts?: Partial<Facts>) {
    super(`${limit} time limit of ${ms} ms passed`, {
      code: `timeout-${limit}`,
      category: 'timeout',
      transient: true,
      ...facts,
    });
  }
}

/** Which circuit did not let a call go, and what opened it. */
export interface CircuitFacts {
  /** An origin, or the URL of a path without its query. */
  readonly key: string;
  readonly is: 'closed' | 'open' | 'half-open' | 'isolated';
  /** Calls in a row that failed; calls in flight together count once. 0: too many were slow. */
  readonly failures?: number;
  /** How the last one failed: `'network'`, `'timeout-attempt'`, `'status 503'`, `'slow'`. */
  readonly lastFailure?: string;
}

/**
 * An origin (or one path of it) is down, and did not come back while the call waited; nothing was sent. `circuit` says which
 * and why, `retryAt` when the next probe is sent.
 */
export class CircuitOpenError extends HoldfastError {
  override name = 'CircuitOpenError';
  /** Absent where another part of the application made the error. */
  declare readonly circuit?: CircuitFacts;

  constructor(facts: Partial<Facts>, circuit?: CircuitFacts) {
    // The path is not in the message, which is logged: there may be a secret in it.
    const what = circuit && circuit.key !== facts.origin ? `a path of ${facts.origin}` : facts.origin;
    super(`circuit of ${what} is ${explained(circuit, facts.retryAt)}`, {
      code: 'circuit-open',
      category: 'circuit-open',
      transient: true,
      ...facts,
    });
    if (circuit) conceal(this, 'circuit', circuit);
  }
}

function explained({ is, failures, lastFailure }: Partial<CircuitFacts> = {}, retryAt?: number): string {
  if (is === 'isolated') return 'isolated by the application';
  if (is === 'closed') return 'closed again, and lets calls through a few at a time';
  const after = failures ? ` after ${failures} failed calls in a row` : '';
  const last = lastFailure ? ` (the last: ${lastFailure})` : '';
  const next = retryAt ? `; next probe at ${new Date(retryAt).toISOString()}` : '';
  return `open${after}${last}${next}`;
}

/** A store could not do what a write depends on; `cause` has the platform's error. Nothing was accepted. */
export class StorageError extends HoldfastError {
  override name = 'StorageError';

  constructor(message: string, facts?: Partial<Facts>) {
    super(message, { code: 'storage', category: 'storage', transient: true, ...facts });
  }
}

/** Which limit of holdfast is reached. `too-large` will not become smaller; the others pass. */
export type CapacityCode = 'outbox-full' | 'too-large' | 'bulkhead-full' | 'bulkhead-wait' | 'rate-limit';

/** A limit of holdfast is reached; nothing was sent. What was accepted before is kept. */
export class CapacityError extends HoldfastError {
  override name = 'CapacityError';

  constructor(code: CapacityCode, message: string, facts?: Partial<Facts>) {
    super(message, { code, category: 'capacity', transient: code !== 'too-large', ...facts });
  }
}

/** The pipeline was closed while the call was under way, or before. */
export class ClosedError extends HoldfastError {
  override name = 'ClosedError';

  constructor() {
    super('this fetch has been closed', { code: 'closed', category: 'aborted' });
  }
}

/**
 * No response from the network. A `TypeError`, and named so, because that is what callers of `fetch` look for; its
 * message is the platform's own.
 */
export class NetworkError extends TypeError implements Failure {
  declare readonly code: string;
  declare readonly category: Category;
  declare readonly transient: boolean;
  declare readonly callId?: string;
  declare readonly origin?: string;
  declare readonly attempts: readonly Attempt[];
  declare readonly request?: Request;

  constructor(message: string, facts: Partial<Facts>) {
    super(message);
    equip(this, { code: 'network', category: 'network', transient: true, ...facts });
  }

  toJSON(): Record<string, unknown> {
    return failureToJSON(this);
  }
}

/**
 * What a platform's fetch or body rejects with when the network failed, made one for all engines: `TypeError` by the
 * Fetch standard, a plain `Error` in workerd, one with a `code` in Bun. Anything else
 * stays what it is.
 */
export function asNetworkError(error: unknown, facts: Partial<Facts> = {}): unknown {
  const failed =
    error instanceof TypeError ||
    (error instanceof Error && (error.constructor === Error || 'code' in error)) ||
    (error instanceof DOMException && error.name === 'NetworkError');
  if (!failed || isFailure(error)) return error;
  withoutQueries(error);
  return new NetworkError(error.message, { cause: error, ...facts });
}

/** What engines say when the network failed. */
const FAILED =
  /^ ?((a )?network ?error|failed to fetch|(fetch|load) failed|response served by service worker|network (request failed|connection lost)|terminated|error sending request|unable to connect|(the (internet|socket) )?connection )/i;

/** Whether an error is known for one of the network, and not for a bug of a transport. */
export const saysNetwork = (error: unknown): boolean =>
  error instanceof Error &&
  (FAILED.test(error.message) || error.name === 'NetworkError' || hasCode(error) || hasCode(error.cause));

const hasCode = (error: unknown): boolean =>
  error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
