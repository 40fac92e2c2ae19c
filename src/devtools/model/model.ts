import type { HoldfastEvent, OutboxEvent } from '../../core/events.ts';
import type { Reachability } from '../../observability/connectivity.ts';
import { recordOf } from '../../observability/log/record.ts';
import { Calls } from './calls.ts';
import { CircuitHistory, put } from './circuits.ts';
import { Ring } from './ring.ts';
import type { Why } from './why.ts';
import { failureText } from './words.ts';
import { Writes } from './writes.ts';

export interface LogLine {
  readonly number: number;
  readonly at: number;
  readonly event: HoldfastEvent;
}

/** Why a cached response of a URL was served last. */
export interface Served extends Why {
  readonly at: number;
  readonly source: 'cache' | 'stale';
  readonly age: number;
}

/** So many calls and events are kept. */
const MOST = 10_000;
const MOST_URLS = 2_000;

const OF_OUTBOX: ReadonlySet<string> = new Set<OutboxEvent['type']>([
  'queued',
  'sending',
  'delivered',
  'postponed',
  'dead-lettered',
  'removed',
  'finished',
  'replayed',
  'edited',
  'outbox-auth-required',
  'outbox-paused',
  'outbox-resumed',
]);

/** What the devtools know of one client. It has no clock, no DOM and no client: events come in, records come out. */
export class Model {
  readonly calls: Calls;
  readonly circuits = new CircuitHistory();
  readonly queue = new Writes();
  readonly served = new Map<string, Served>();
  readonly log: Ring<LogLine>;
  /** Changes with every event. */
  version = 0;
  /** Changes when the cache's listing may have changed. */
  cacheVersion = 0;
  isPaused = false;
  /** A newer version of the application has taken over the outbox. */
  needsUpdate = false;

  constructor(most = MOST) {
    this.calls = new Calls(most);
    this.log = new Ring(most);
  }

  /** @param now When it was received; wall time in ms. @param reachability What the network was then. */
  receive(event: HoldfastEvent, now: number, reachability: Reachability = 'online'): void {
    // Another version of the library may emit what this one does not know.
    if (typeof event?.type !== 'string') return;
    this.version++;
    if (!this.isPaused) this.log.push({ number: this.log.pushed, at: now, event });
    this.calls.receive(event, now, reachability);
    if (event.type === 'circuit') this.circuits.receive(event, now);
    else if (event.type === 'attempt-ended') this.#failed(event);
    else if (event.type === 'cache-served') {
      const { url, source, callId } = event;
      const served = this.calls.get(callId)?.served;
      if (served) put(this.served, url, { at: now, source, ...served }, MOST_URLS);
    } else if (event.type === 'update-required') {
      this.needsUpdate = true;
      this.queue.version++;
    } else if (OF_OUTBOX.has(event.type)) this.queue.receive(event as OutboxEvent, now);
    // A hit changes no more than when it was used.
    if (event.type.startsWith('cache-') && event.type !== 'cache-served') this.cacheVersion++;
  }

  #failed({ callId, origin, status, error }: Extract<HoldfastEvent, { type: 'attempt-ended' }>): void {
    if (status !== undefined && status < 500) return;
    const call = this.calls.get(callId);
    const what = status === undefined ? failureText(error) : `status ${status}`;
    this.circuits.failed(origin, `${call?.method ?? ''} ${call?.url ?? origin}: ${what}`.trim());
  }
}

const lines = new WeakMap<LogLine, string>();

/** An event as a line of JSON, with nothing secret in it. Made when it is first shown: most are never seen. */
export function lineOf(line: LogLine): string {
  const known = lines.get(line);
  if (known !== undefined) return known;
  const made = textOf(line);
  lines.set(line, made);
  return made;
}

function textOf({ event, at }: LogLine): string {
  try {
    return JSON.stringify(recordOf(event, at));
  } catch (error) {
    return JSON.stringify({ type: String(event.type), unreadable: failureText(error) });
  }
}
