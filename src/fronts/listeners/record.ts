import { categoryOf } from '../../core/category.ts';
import { isFailure } from '../../core/errors.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import { type Severity, severityOf } from '../severity.ts';
import { redact, redactText, redactUrl } from './redact.ts';

/** An event as a log may see it: what, where, when, how bad. Plain data, and nothing secret. */
export interface LogRecord {
  /** Wall time, ISO 8601. */
  readonly time: string;
  readonly severity: Severity;
  readonly type: HoldfastEvent['type'];
  /** The event's own facts. */
  readonly [fact: string]: unknown;
}

/** What belongs to the application, and is not ours to show. */
const NOT_OURS: readonly string[] = ['meta', 'partition'];

/**
 * Makes an event fit for a log: URLs without user, query and what looks like a key, errors as code and category, no bodies, no
 * headers, nothing that is secret by its name or its look.
 *
 * @param now Wall time in ms.
 */
export function recordOf(event: HoldfastEvent, now: number): LogRecord {
  const facts: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(event))
    if (value !== undefined && !NOT_OURS.includes(name)) facts[name] = told(name, value);
  return { time: new Date(now).toISOString(), severity: severityOf(event), ...facts, type: event.type };
}

function told(name: string, value: unknown): unknown {
  if (name === 'error' || name === 'cause') return failureOf(value);
  if (name === 'url') return redactUrl(String(value));
  return redact(value);
}

/** What is known of a failure, but for what its message may give away. */
function failureOf(failure: unknown): unknown {
  if (failure instanceof Response) return { status: failure.status, category: categoryOf(failure) };
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
