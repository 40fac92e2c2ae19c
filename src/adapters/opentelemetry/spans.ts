import { context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import type { EventOf, HoldfastEvent } from '../../core/events.ts';
import { recordOf } from '../../observability/log/record.ts';
import { dropOldest } from '../../primitives/lru.ts';
import {
  type Attributes,
  errorTypeOf,
  methodOf,
  outcomeAttributes,
  prefixed,
  serverOf,
  urlOf,
} from './attributes.ts';

interface Under {
  readonly span: Span;
  readonly method: string;
  readonly url: string;
  readonly attempts: Map<number, Span>;
}

/** Calls that never end are dropped, and their spans ended, when there are so many. */
const MOST = 10_000;

/** Decisions on the way, which are events of a call's span. */
const SPAN_EVENTS: readonly HoldfastEvent['type'][] = [
  'retry',
  'retry-abandoned',
  'timeout',
  'refused',
  'waiting',
  'released',
  'deduplicated',
  'hedge',
  'failover',
  'fallback',
  'fallback-failed',
  'cache-served',
  'cache-revalidated',
  'queued',
  'auth-replayed',
  'body-broken',
];

/** A span for each call (`INTERNAL`), and in it one for each attempt (`CLIENT`). */
export class Spans {
  readonly #tracer: Tracer;
  readonly #calls = new Map<string, Under>();
  /** The calls that deliver entries of the outbox, by the id of the entry. */
  readonly #sendings = new Map<string, string>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** The span of a call that goes on. */
  of(callId: string): Span | undefined {
    return this.#calls.get(callId)?.span;
  }

  receive(event: HoldfastEvent, now: number): void {
    switch (event.type) {
      case 'call-started':
        this.#begin(event);
        break;
      // No caller made this call: each delivery by the outbox is one of its own.
      case 'sending':
        this.#beginSending(event);
        break;
      case 'delivered':
      case 'postponed':
      case 'dead-lettered':
      case 'removed':
      case 'outbox-auth-required':
        this.#endSending(event.id, event.type);
        break;
      default:
        this.#onTheWay(event, now);
    }
  }

  #onTheWay(event: HoldfastEvent, now: number): void {
    const under = 'callId' in event ? this.#calls.get(event.callId) : undefined;
    if (!under) return;
    if (event.type === 'attempt-started') this.#beginAttempt(event, under);
    else if (event.type === 'attempt-ended') endAttempt(event, under);
    else if (event.type === 'call-ended') this.#end(event, under);
    else if (SPAN_EVENTS.includes(event.type)) under.span.addEvent(event.type, flat(recordOf(event, now)));
  }

  #begin(event: EventOf<'call-started'>): void {
    const { method, url, operation } = event;
    this.#open(event, operation ?? method, { ...methodOf(method), ...prefixed(event) }, method, url);
  }

  #endSending(id: string, outcome: string): void {
    const callId = this.#sendings.get(id);
    const under = callId === undefined ? undefined : this.#calls.get(callId);
    this.#sendings.delete(id);
    if (callId === undefined || !under) return;
    this.#calls.delete(callId);
    for (const attempt of under.attempts.values()) attempt.end();
    finish(under.span, {
      'holdfast.outbox.outcome': outcome,
      ...(outcome !== 'delivered' && { 'error.type': outcome }),
    });
  }

  #beginSending(event: EventOf<'sending'>): void {
    const { callId, id, lane, attempt, origin } = event;
    // No event said how the attempt before ended: another tab has the entry, or the process ended.
    this.#endSending(id, 'unknown');
    this.#sendings.set(id, callId);
    dropOldest(this.#sendings, MOST);
    const attributes = {
      'holdfast.outbox.id': id,
      'holdfast.outbox.lane': lane,
      'holdfast.outbox.attempt': attempt,
    };
    this.#open(event, 'outbox sending', attributes, '', origin);
  }

  /** Begins the span of a call. */
  #open(
    { callId, origin }: { readonly callId: string; readonly origin: string },
    name: string,
    own: Attributes,
    method: string,
    url: string,
  ): void {
    const attributes = { 'holdfast.call_id': callId, ...serverOf(origin), ...own };
    // The active span is the parent: events are emitted in the same step as the call.
    const span = this.#tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes });
    this.#calls.set(callId, { span, method, url, attempts: new Map() });
    dropOldest(this.#calls, MOST)?.[1].span.end();
  }

  #beginAttempt(
    { attempt, origin, at }: EventOf<'attempt-started'>,
    { span, method, url, attempts }: Under,
  ): void {
    // The attempt of a hedge is a half more than the one that it is sent beside.
    const resent = attempt > 1 ? { 'http.request.resend_count': Math.ceil(attempt) - 1 } : {};
    const attributes = { ...methodOf(method || 'POST'), ...serverOf(origin), ...urlOf(url), ...resent };
    const inner = this.#tracer.startSpan(
      method || 'POST',
      { kind: SpanKind.CLIENT, attributes, startTime: at },
      trace.setSpan(context.active(), span),
    );
    attempts.set(attempt, inner);
  }

  #end(event: EventOf<'call-ended'>, { span, attempts }: Under): void {
    const { callId, status, error, sent, received } = event;
    this.#calls.delete(callId);
    for (const attempt of attempts.values()) attempt.end();
    finish(span, {
      ...outcomeAttributes(status, errorTypeOf(error)),
      ...prefixed(event),
      'holdfast.attempts': event.attempts.length,
      ...(sent !== undefined && { 'http.request.body.size': sent }),
      ...(received !== undefined && { 'http.response.body.size': received }),
    });
  }
}

function endAttempt(
  { attempt, status, error, startedAt, duration }: EventOf<'attempt-ended'>,
  { attempts }: Under,
): void {
  const span = attempts.get(attempt);
  attempts.delete(attempt);
  if (span) finish(span, outcomeAttributes(status, error), startedAt + duration);
}

function finish(span: Span, attributes: Attributes, at?: number): void {
  span.setAttributes(attributes);
  // The conventions say nothing in words that an attribute says.
  if (attributes['error.type'] !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(at);
}

/** Attributes have no depth. */
const flat = (record: object): Attributes =>
  Object.fromEntries(
    Object.entries(record)
      .filter(([name]) => !['time', 'type', 'callId'].includes(name))
      .map(([name, value]) => [
        `holdfast.${name}`,
        typeof value === 'object' || value === undefined ? JSON.stringify(value) : value,
      ]),
  );
