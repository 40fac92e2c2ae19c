import type { HoldfastEvent } from '../../core/events.ts';
import { categoryOf, categoryOfStatus } from '../../core/outcome.ts';
import { isFailure } from '../../primitives/failure.ts';
import { redact, redactText, redactUrl } from './redact.ts';
import { type Severity, severityOf } from './severity.ts';

/** An event for a log: plain data without secrets. */
export interface LogRecord {
  /** Wall time, ISO 8601. */
  readonly time: string;
  readonly severity: Severity;
  readonly type: HoldfastEvent['type'];
  /** The event's own facts. */
  readonly [fact: string]: unknown;
}

/** Properties with data of the application, which are left out. */
const NOT_OURS: readonly string[] = ['meta', 'partition'];

/**
 * Makes an event fit for a log: URLs without user, query and segments that look like keys, errors as code and category, no bodies, no
 * headers, nothing that is secret by its name or its look.
 *
 * @param now Wall time in ms.
 *
 * @example
 * const fetch = createFetch({ onEvent: (event) => log(recordOf(event, Date.now())) });
 */
export function recordOf(event: HoldfastEvent, now: number): LogRecord {
  const facts: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(event))
    if (value !== undefined && !NOT_OURS.includes(name)) facts[name] = fieldOf(name, value, event.type);
  return { time: new Date(now).toISOString(), severity: severityOf(event), ...facts, type: event.type };
}

function fieldOf(name: string, value: unknown, type: HoldfastEvent['type']): unknown {
  // The reason of an entry, or a constant; in other events a text is a thrown value, which may contain data.
  if (name === 'cause' && type === 'postponed' && isWhy(value)) return whyOf(value);
  if (name === 'cause' && type === 'cache-served' && value === 'silence') return value;
  // Of an attempt there is the code alone.
  if (name === 'error' && type === 'attempt-ended') return { code: redactText(String(value)) };
  if (name === 'error' || name === 'cause') return failureOf(value);
  if (name === 'url') return redactUrl(String(value));
  return redact(value);
}

/** The logged part of the reason of an entry: its message may contain data of the application. */
interface Why {
  readonly code: string;
  readonly status?: number;
}

const isWhy = (value: unknown): value is Why =>
  typeof value === 'object' && value !== null && !isFailure(value) && 'code' in value;

const whyOf = ({ code, status }: Why): object => ({
  code: redactText(String(code)),
  ...(status !== undefined && ofStatus(status)),
});

function ofStatus(status: number): object {
  const category = categoryOfStatus(status);
  return { status, ...(category && { category }) };
}

/** The logged part of a failure, which may be a response or its status; without data that its message may contain. */
function failureOf(failure: unknown): unknown {
  if (typeof failure === 'number') return ofStatus(failure);
  if (failure instanceof Response) return ofStatus(failure.status);
  if (isFailure(failure)) {
    const { name, code, category, transient, message, retryAt } = failure;
    return {
      name,
      code,
      category,
      transient,
      message: redactText(message),
      ...(retryAt !== undefined && { retryAt }),
    };
  }
  if (failure instanceof Error || failure instanceof DOMException)
    return { name: redactText(failure.name), category: categoryOf(failure) };
  return { name: typeof failure, category: categoryOf(failure) };
}
