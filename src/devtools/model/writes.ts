import type { OutboxEvent } from '../../core/events.ts';
import { put } from './circuits.ts';

/** What events tell of a lane; how many entries wait is asked of the outbox. */
export interface LaneRecord {
  readonly lane: string;
  /** Ids of entries on the wire. */
  readonly sending: Set<string>;
  delivered: number;
  dead: number;
  /** The last ones delivered, newest last, for the view to show them arrive. */
  readonly arrived: { readonly id: string; readonly at: number }[];
}

const MOST_LANES = 1_000;
const MOST_ARRIVED = 8;

/** Follows entries from waiting over sending to delivered. */
export class Writes {
  readonly lanes = new Map<string, LaneRecord>();
  /** When each entry on the wire was sent. */
  readonly sending = new Map<string, number>();
  /** Changes when the outbox's listing may have changed. */
  version = 0;

  receive(event: OutboxEvent, now: number): void {
    this.version++;
    if (!('id' in event)) return;
    const lane = this.#lane(event.lane);
    if (event.type === 'sending') {
      lane.sending.add(event.id);
      put(this.sending, event.id, now, MOST_LANES);
      return;
    }
    if (event.type === 'queued' || event.type === 'finished' || event.type === 'edited') return;
    lane.sending.delete(event.id);
    this.sending.delete(event.id);
    if (event.type === 'delivered') {
      lane.delivered++;
      lane.arrived.push({ id: event.id, at: now });
      if (lane.arrived.length > MOST_ARRIVED) lane.arrived.shift();
    }
    if (event.type === 'dead-lettered') lane.dead++;
  }

  #lane(lane: string): LaneRecord {
    const known = this.lanes.get(lane);
    if (known) return known;
    const record: LaneRecord = { lane, sending: new Set(), delivered: 0, dead: 0, arrived: [] };
    put(this.lanes, lane, record, MOST_LANES);
    return record;
  }
}
