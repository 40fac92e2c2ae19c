import type { Attempt, HoldfastEvent } from 'holdfast';
import type { Tone } from './dom.ts';
import { called } from './words.ts';

/** One piece of a timeline. Without `ms` it is under way. */
export interface Step {
  readonly is: 'attempt' | 'wait' | 'note';
  readonly from: number;
  ms?: number;
  /** Which attempt, if it is one. */
  readonly number?: number;
  text: string;
  tone: Tone;
}

/** A call of the application, or the delivery of one entry of the outbox, for which no call waits. */
export interface Row {
  readonly key: string;
  readonly title: string;
  readonly from: number;
  readonly steps: Step[];
  /** Of the copy that was served, in seconds. */
  age?: number;
  end?: { readonly ms: number; readonly text: string; readonly tone: Tone };
}

const MOST = 12;

/** Makes rows of what the client tells, newest first. @param nameOf What an entry of the outbox is called. */
export function createCalls(nameOf: (entry: string) => string) {
  const rows: Row[] = [];
  const byCall = new Map<string, Row>();
  /** Deliveries under way, by entry. */
  const deliveries = new Map<string, Row>();
  /** Which attempt of an entry a call of the outbox's own is. */
  const sending = new Map<string, number>();

  function add(key: string, title: string, from: number): Row {
    const row: Row = { key, title, from, steps: [] };
    rows.unshift(row);
    rows.length = Math.min(rows.length, MOST);
    return row;
  }

  /** A call that nobody started here, and that is not the outbox's, asks about a copy that has been given. */
  function rowOf({ callId }: { callId: string }): Row {
    const row = byCall.get(callId) ?? add(callId, 'Behind the caller’s back', Date.now());
    byCall.set(callId, row);
    return row;
  }

  function deliveryOf(id: string): Row {
    const now = Date.now();
    const row = deliveries.get(id) ?? add(`entry ${id} ${now}`, `Delivery of ${nameOf(id)}`, now);
    deliveries.set(id, row);
    return row;
  }

  function endDelivery(id: string, text: string, tone: Tone): void {
    const row = deliveries.get(id);
    if (row) row.end = { ms: Date.now() - row.from, text, tone };
    deliveries.delete(id);
  }

  function receive(event: HoldfastEvent): void {
    switch (event.type) {
      case 'call-started':
        byCall.set(
          event.callId,
          add(event.callId, `${event.method} ${new URL(event.url).pathname}`, event.at),
        );
        break;
      case 'attempt-started': {
        const number = sending.get(event.callId) ?? event.attempt;
        push(rowOf(event), { is: 'attempt', from: event.at, number, text: 'under way', tone: 'plain' });
        break;
      }
      case 'attempt-ended':
        endAttempt(rowOf(event), event);
        break;
      case 'retry':
        wait(rowOf(event));
        break;
      case 'retry-abandoned':
        note(
          rowOf(event),
          event.reason === 'budget' ? 'no more retries for now' : 'no time for another',
          'plain',
        );
        break;
      case 'timeout':
        if (event.limit !== 'attempt') note(rowOf(event), called(`timeout-${event.limit}`), 'bad');
        break;
      case 'refused':
        note(rowOf(event), `not sent: ${called(event.code)}`, 'waiting');
        break;
      case 'cache-served': {
        rowOf(event).age = event.age;
        break;
      }
      case 'cache-revalidated': {
        const row = rowOf(event);
        const text = event.error ? 'no answer' : event.changed ? 'a new copy' : 'still right';
        row.end ??= { ms: Date.now() - row.from, text, tone: event.error ? 'bad' : 'good' };
        break;
      }
      case 'call-ended': {
        const row = rowOf(event);
        const isCopy = event.source === 'cache' || event.source === 'stale';
        if (row.steps.length === 0)
          note(row, isCopy ? 'not sent: a copy was there' : 'sent by the outbox, see there', 'plain');
        row.end = ending(event, row.age);
        byCall.delete(event.callId);
        break;
      }
      case 'sending':
        byCall.set(event.callId, deliveryOf(event.id));
        sending.set(event.callId, event.attempt);
        break;
      case 'postponed':
        wait(deliveryOf(event.id));
        break;
      case 'delivered':
        endDelivery(event.id, 'delivered', 'good');
        break;
      case 'dead-lettered':
        endDelivery(event.id, 'dead letter', 'bad');
        break;
      case 'removed':
        endDelivery(event.id, 'removed', 'plain');
    }
  }

  return { rows, receive };
}

/** Whatever comes next ends a wait. */
function push(row: Row | undefined, step: Step): void {
  const last = row?.steps.at(-1);
  if (last?.is === 'wait') last.ms ??= step.from - last.from;
  row?.steps.push(step);
}

const wait = (row: Row | undefined): void =>
  push(row, { is: 'wait', from: Date.now(), text: 'waits', tone: 'waiting' });

const note = (row: Row | undefined, text: string, tone: Tone): void =>
  push(row, { is: 'note', from: Date.now(), ms: 0, text, tone });

function endAttempt(row: Row | undefined, { status, error = 'network', duration }: Attempt): void {
  const step = row?.steps.findLast(({ is, ms }) => is === 'attempt' && ms === undefined);
  if (!step) return;
  step.ms = duration;
  step.text = status === undefined ? called(error) : `${status}`;
  step.tone = status !== undefined && status < 400 ? 'good' : 'bad';
}

type Ended = Extract<HoldfastEvent, { type: 'call-ended' }>;

function ending({ duration: ms, source, status = 0, error }: Ended, age = 0): NonNullable<Row['end']> {
  if (error !== undefined)
    return { ms, text: called((error as { code?: string }).code ?? String(error)), tone: 'bad' };
  if (source === 'stale' || source === 'cache') return { ms, text: `${source}, ${age} s old`, tone: 'copy' };
  if (source === 'outbox') return { ms, text: 'outbox, queued', tone: 'waiting' };
  return { ms, text: `${source}, ${status}`, tone: status < 400 ? 'good' : 'bad' };
}
