import type { HoldfastEvent } from '../../core/events.ts';
import type { Reachability } from '../../observability/connectivity.ts';
import { addStep, type CallRecord, endCall, note, wait } from './call-record.ts';
import { put } from './circuits.ts';
import { Ring } from './ring.ts';
import { whyServed } from './why.ts';
import { durationText, failureText, shownUrl, toneOf } from './words.ts';

type EventOf<Type extends HoldfastEvent['type']> = Extract<HoldfastEvent, { type: Type }>;

type Notes = {
  readonly [Type in HoldfastEvent['type']]?: (
    call: CallRecord,
    event: EventOf<Type>,
    now: number,
    reachability: Reachability,
  ) => void;
};

/** What each event adds to the timeline of its call. */
const notes: Notes = {
  'attempt-started': (call, { at, attempt }) =>
    addStep(call, { kind: 'attempt', at, attempt, text: 'under way', tone: 'plain' }),
  'attempt-ended'(call, { attempt, duration: ms, status, error }, now) {
    const step = call.steps.findLast((each) => each.attempt === attempt && each.ms === undefined);
    const text = status === undefined ? failureText(error) : `status ${status}`;
    const tone = status === undefined ? 'bad' : toneOf(status);
    if (step) Object.assign(step, { ms, text, tone });
    // Work in the background has no event of its own for its end.
    if (call.kind === 'background') call.end = { ms: now - call.at, text, tone, ...(status && { status }) };
  },
  retry: (call, { delay, cause }, now) =>
    wait(call, now, `retry in ${durationText(delay)}, after ${failureText(cause)}`),
  'retry-abandoned': (call, { reason }, now) => note(call, now, `no more retries: ${reason}`, 'bad'),
  timeout: (call, { limit, ms }, now) => note(call, now, `time limit: ${limit}, ${durationText(ms)}`, 'bad'),
  'body-broken': (call, { error }, now) => note(call, now, `body broken: ${failureText(error)}`, 'bad'),
  refused: (call, { code }, now) => note(call, now, `not sent: ${code}`, 'bad'),
  waiting: (call, { for: what, ahead }, now) =>
    wait(call, now, `waits for the ${what}${ahead ? `, ${ahead} ahead` : ''}`),
  released: (call, { waited }, now) => note(call, now, `circuit released it after ${durationText(waited)}`),
  deduplicated: (call, { leader }, now) => note(call, now, `shares the response of call ${leader}`),
  hedge: (call, { delay, to }, now) => note(call, now, `hedge to ${to}: silent for ${durationText(delay)}`),
  failover: (call, { to, cause }, now) =>
    note(call, now, `failover to ${to}, after ${failureText(cause)}`, 'waiting'),
  fallback: (call, { cause }, now) => note(call, now, `fallback, after ${failureText(cause)}`, 'stale'),
  'fallback-failed': (call, { error }, now) =>
    note(call, now, `fallback failed: ${failureText(error)}`, 'bad'),
  'cache-stored': (call, _, now) => note(call, now, 'stored in the cache'),
  'cache-served'(call, { source, age, cause }, now, reachability) {
    const wasSent = call.steps.some(({ kind }) => kind === 'attempt');
    call.served = { age, ...whyServed({ source, cause, wasSent, reachability }) };
    note(call, now, `cached response, ${durationText(age * 1_000)} old: ${call.served.is}`, 'stale');
  },
  'cache-revalidated'(call, { url, changed, error }, now) {
    if (call.kind === 'background') call.url = shownUrl(url);
    const text = error === undefined ? (changed ? 'changed' : 'not changed') : failureText(error);
    note(call, now, `revalidated: ${text}`, error === undefined ? 'good' : 'bad');
  },
  'auth-replayed': (call, _, now) => note(call, now, 'sent again with new credentials'),
  queued(call, { id }, now) {
    call.entry = id;
    note(call, now, `queued in the outbox as ${id}`, 'waiting');
  },
};

/** What an entry of the outbox writes. */
export interface Write {
  readonly method: string;
  readonly url: string;
}

/** So many settled calls still receive of their bodies. */
const MOST_LATE = 64;
const MOST_WRITES = 2_000;

/** In place of the method of an entry that is not known yet. */
const UNKNOWN = 'OUTBOX';

/** Makes records of events. Its only input are events and the times at which they were received. */
export class Calls {
  readonly ring: Ring<CallRecord>;
  readonly #byId = new Map<string, CallRecord>();
  /** Sendings under way, by entry. */
  readonly #sendings = new Map<string, CallRecord>();
  readonly #late: CallRecord[] = [];
  /** By entry. */
  readonly #writes = new Map<string, Write>();

  constructor(most: number) {
    this.ring = new Ring(most);
  }

  get(id: string): CallRecord | undefined {
    return this.#byId.get(id);
  }

  knows(entry: string): boolean {
    return this.#writes.has(entry);
  }

  /** Names an entry, also in the sendings that are shown already. */
  know(entry: string, { method, url }: Write): void {
    const write = { method, url: shownUrl(url) };
    put(this.#writes, entry, write, MOST_WRITES);
    for (const call of this.ring.filter((each) => each.entry === entry && each.method === UNKNOWN)) {
      Object.assign(call, write);
      call.version++;
    }
  }

  receive(event: HoldfastEvent, now: number, reachability: Reachability): void {
    if (event.type === 'call-started') this.#started(event);
    else if (event.type === 'sending') this.#sending(event, now);
    else if (event.type === 'delivered' || event.type === 'postponed' || event.type === 'dead-lettered')
      this.#sent(event, now);
    else if ('callId' in event && typeof event.callId === 'string') this.#ofCall(event, now, reachability);
  }

  #ofCall(
    event: HoldfastEvent & { callId: string; origin?: string },
    now: number,
    reachability: Reachability,
  ): void {
    const call = this.#byId.get(event.callId) ?? this.#background(event, now);
    call.version++;
    if (event.type === 'queued' && call.kind === 'call') this.know(event.id, call);
    const add = notes[event.type] as
      | ((call: CallRecord, event: object, now: number, reachability: Reachability) => void)
      | undefined;
    if (event.type === 'call-ended') this.#ended(call, event, now);
    else add?.(call, event, now, reachability);
  }

  #add(call: Omit<CallRecord, 'steps' | 'dropped' | 'version'>): CallRecord {
    const record: CallRecord = { ...call, steps: [], dropped: 0, version: 0 };
    const oldest = this.ring.push(record);
    if (oldest) this.#drop(oldest);
    this.#byId.set(record.id, record);
    return record;
  }

  #drop(call: CallRecord): void {
    this.#byId.delete(call.id);
    if (call.entry !== undefined && this.#sendings.get(call.entry) === call)
      this.#sendings.delete(call.entry);
  }

  #started({ callId: id, origin, method, url, at, operation }: EventOf<'call-started'>): void {
    const shown = { id, kind: 'call', origin, at, method, url: shownUrl(url) } as const;
    this.#add(operation === undefined ? shown : { ...shown, operation });
  }

  #background({ callId: id, origin = '' }: { callId: string; origin?: string }, now: number): CallRecord {
    return this.#add({
      id,
      kind: 'background',
      origin,
      at: now,
      method: 'BACKGROUND',
      url: shownUrl(origin),
    });
  }

  #sending({ callId: id, id: entry, origin, lane, attempt }: EventOf<'sending'>, now: number): void {
    const host = URL.canParse(origin) ? new URL(origin).host : origin;
    // The lane of an entry without one is its origin.
    const unknown = {
      method: UNKNOWN,
      url: `${host}, ${lane === origin ? `entry ${entry}` : `lane ${lane}`}`,
    };
    const write = this.#writes.get(entry) ?? unknown;
    const call = this.#add({ id, kind: 'sending', origin, at: now, ...write, entry });
    this.#sendings.set(entry, call);
    note(call, now, `sending ${attempt} of entry ${entry}`);
  }

  #sent(event: EventOf<'delivered' | 'postponed' | 'dead-lettered'>, now: number): void {
    const call = this.#sendings.get(event.id);
    if (!call) return;
    const status = 'status' in event ? event.status : undefined;
    const cause = event.type === 'postponed' ? `, ${failureText(event.cause)}` : '';
    const tone = event.type === 'delivered' ? 'good' : event.type === 'postponed' ? 'waiting' : 'bad';
    call.version++;
    endCall(call, now, {
      ms: now - call.at,
      text: event.type === 'dead-lettered' ? 'dead letter' : event.type + cause,
      tone,
      ...(status !== undefined && { status, source: 'network' }),
    });
    this.#drop(call);
  }

  #ended(call: CallRecord, event: EventOf<'call-ended'>, now: number): void {
    const { duration: ms, status, source, error } = event;
    const failed = error !== undefined;
    const ofSource = { cache: 'stale', stale: 'stale', fallback: 'stale', outbox: 'waiting' } as const;
    const tone = failed
      ? 'bad'
      : source === undefined || source === 'network'
        ? toneOf(status ?? 0)
        : ofSource[source];
    endCall(call, now, {
      ms,
      tone,
      text: failed ? failureText(error) : String(status ?? ''),
      ...(!failed && status !== undefined && { status }),
      ...(source && { source }),
    });
    if (call.kind !== 'call') this.#drop(call);
    else this.#settled(call);
  }

  /** The last settled calls stay at hand: the cache stores a body after the call has ended. */
  #settled(call: CallRecord): void {
    this.#late.push(call);
    if (this.#late.length > MOST_LATE) this.#drop(this.#late.shift() as CallRecord);
  }
}
