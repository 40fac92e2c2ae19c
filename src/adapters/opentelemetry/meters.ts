import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import type { EventOf, HoldfastEvent } from '../../core/events.ts';
import { dropOldest } from '../../primitives/lru.ts';
import { errorTypeOf, methodOf, outcomeAttributes, prefixed, serverOf } from './attributes.ts';

/** Seconds: those that the conventions advise for `http.client.request.duration`. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Methods are those of the calls; an attempt does not know its own. */
const MOST = 10_000;

/** Metrics of calls, attempts and decisions. */
export class Meters {
  readonly #attempts: Histogram;
  readonly #calls: Histogram;
  readonly #decisions: Counter;
  readonly #methods = new Map<string, string>();

  constructor(meter: Meter) {
    const advice = { explicitBucketBoundaries: SECONDS };
    this.#attempts = meter.createHistogram('http.client.request.duration', {
      description: 'Duration of HTTP client requests: of each attempt.',
      unit: 's',
      advice,
    });
    this.#calls = meter.createHistogram('holdfast.call.duration', {
      description: 'Duration of calls, with all attempts and waits, to the response or to the failure.',
      unit: 's',
      advice,
    });
    this.#decisions = meter.createCounter('holdfast.events', {
      description: 'Decisions: retries, rejections, stale responses, circuits, deliveries.',
      unit: '{event}',
    });
  }

  receive(event: HoldfastEvent): void {
    if (event.type === 'call-started') this.#remember(event.callId, event.method);
    else if (event.type === 'sending') this.#remember(event.callId, 'POST');
    else if (event.type === 'attempt-ended') this.#attempt(event);
    else if (event.type === 'call-ended') this.#call(event);
    else if (event.type !== 'attempt-started') this.#decision(event);
  }

  #remember(callId: string, method: string): void {
    this.#methods.set(callId, method);
    dropOldest(this.#methods, MOST);
  }

  #attempt({ callId, origin, duration, status, error }: EventOf<'attempt-ended'>): void {
    const { 'http.request.method': method = '_OTHER' } = methodOf(this.#methods.get(callId) ?? 'GET');
    this.#attempts.record(duration / 1000, {
      'http.request.method': method,
      ...serverOf(origin),
      ...outcomeAttributes(status, error),
    });
  }

  #call(event: EventOf<'call-ended'>): void {
    const { callId, origin, method, duration, status, error } = event;
    this.#methods.delete(callId);
    const { 'http.request.method': known = '_OTHER' } = methodOf(method);
    this.#calls.record(duration / 1000, {
      'http.request.method': known,
      ...serverOf(origin),
      ...outcomeAttributes(status, errorTypeOf(error)),
      ...prefixed(event),
    });
  }

  #decision(event: HoldfastEvent): void {
    this.#decisions.add(1, {
      'holdfast.event': event.type,
      ...('origin' in event && serverOf(event.origin)),
      ...(event.type === 'circuit' && { 'holdfast.circuit': event.to }),
    });
  }
}
