import { ownBody } from '../core/body/watched-response.ts';
import { type Host, named } from '../core/contract.ts';
import { CapacityError } from '../core/errors.ts';
import { type Run, type Stage, stage } from '../core/stage.ts';
import { isOriginFailure } from '../http/status.ts';
import { DeadlineError } from '../primitives/clock.ts';
import type { Duration } from '../primitives/units.ts';
import {
  durationOrFalse,
  integer,
  oneOf,
  perCall,
  readSettings,
  type SettingsTable,
} from '../primitives/validate.ts';

export interface BulkheadOptions {
  /** Calls in flight to one origin. Default 6. */
  readonly limit?: number;
  /** Calls that may wait for a slot. Default 100; 0: none waits. */
  readonly queue?: number;
  /** How long a call waits. Default 5 s; `false`: as long as its total time allows. */
  readonly maxWait?: Duration | false;
}

/** The options of one call or route. */
export interface CallBulkhead {
  /** Which call goes first when a slot is free, and which may stay when the queue is full. Default `'normal'`. */
  readonly priority?: 'high' | 'normal' | 'low';
}

export interface Bulkhead extends Stage {
  /** The origins to which calls are under way. */
  states(): Record<string, { readonly inFlight: number; readonly waiting: number }>;
}

/** The slots of one origin; deleted when the last is free, so that the map is as small as what is in flight. */
interface OriginState {
  readonly origin: string;
  inFlight: number;
  /** The highest priority first, the oldest first within one. */
  readonly waiters: Waiting[];
  /** Where a call may be cut off without a word (Workers): those that have a slot. */
  readonly passages: Set<Passage> | undefined;
}

interface Waiting {
  readonly run: Run;
  readonly rank: number;
  /** @returns true if the call has taken the slot. */
  enter(): boolean;
  reject(reason: unknown): void;
}

/** One call that holds a slot. */
interface Passage {
  readonly state: OriginState;
  /** In ticks. */
  readonly since: number;
  hasLeft: boolean;
}

/** How long a call has its slot at the most where it may be cut off without a word, in ms. */
const LONGEST_PASSAGE = 60_000;

const PRIORITIES = ['high', 'normal', 'low'] as const;

const CALL_TABLE: SettingsTable<Required<CallBulkhead>> = { priority: ['normal', oneOf(...PRIORITIES)] };

/** The index of the priority that a call names. */
const rankOf = /* @__PURE__ */ perCall(
  (...layers) => PRIORITIES.indexOf(readSettings('bulkhead', CALL_TABLE, ...layers).priority),
  {},
);

/**
 * Bounds the calls in flight to one origin, and the calls that wait for a slot. A slot is held until the body of the response has
 * been read, was cancelled or broke: cancel a body that you do not read.
 *
 * The higher priority goes first, and the oldest within one. When the queue is full a call of higher priority takes
 * the place of the newest of the lowest. A call that is aborted leaves the queue at once.
 *
 * If I/O belongs to one request (Workers) no call waits: a call that finds no slot is rejected. There, a call has its slot for
 * a minute at the most, because it may have been cut off.
 *
 * @throws {CapacityError} code `bulkhead-full`, or `bulkhead-wait` after `maxWait`; nothing was sent.
 * @see Nygard, Release It!, 2nd ed., ch. 5.
 *
 * @example
 * const fetch = createFetch({ bulkhead: bulkhead({ limit: 4, queue: 50, maxWait: '2s' }) });
 */
export function bulkhead(options: BulkheadOptions = {}): Bulkhead {
  const { limit, queue, maxWait } = readSettings(
    'bulkhead',
    { limit: [6, integer(1)], queue: [100, integer()], maxWait: [5_000, durationOrFalse] },
    options,
  );
  const origins = new Map<string, OriginState>();

  const leave = (state: OriginState): void => {
    state.inFlight--;
    while (state.inFlight < limit) {
      const first = state.waiters.shift();
      if (!first) break;
      if (first.enter()) state.inFlight++;
    }
    if (state.inFlight === 0) origins.delete(state.origin);
  };

  const queueFull = (run: Run): CapacityError =>
    rejection(run, 'bulkhead-full', `all ${limit} slots for ${run.origin} are taken, and so is the queue`);

  const enqueue = async (state: OriginState, rank: number, run: Run): Promise<void> => {
    const { waiters } = state;
    const { call } = run;
    if (!call.host.canShareIO) throw queueFull(run);
    let evicted: Waiting | undefined;
    if (waiters.length >= queue) {
      evicted = waiters.at(-1);
      if (!evicted || evicted.rank <= rank) throw queueFull(run);
      waiters.pop();
    }
    let ahead = waiters.length;
    while (ahead > 0 && (waiters[ahead - 1] as Waiting).rank > rank) ahead--;
    let waiting: Waiting | undefined;
    let hasSlot = false;
    const turn = new Promise<void>((resolve, reject) => {
      const enter = (): boolean => {
        try {
          // The circuit may have opened while the call waited.
          run.recheck();
        } catch (rejected) {
          reject(rejected);
          return false;
        }
        hasSlot = true;
        resolve();
        return true;
      };
      waiting = { run, rank, enter, reject };
    });
    waiters.splice(ahead, 0, waiting as Waiting);
    // After the call has its place: a listener may free a slot.
    evicted?.reject(queueFull(evicted.run));
    call.emit?.({ type: 'waiting', callId: call.id, origin: run.origin, for: 'bulkhead', ahead });
    const abandon = (): void => {
      // The caller aborted in the moment in which it got the slot.
      if (hasSlot) leave(state);
      else if (waiters.includes(waiting as Waiting)) waiters.splice(waiters.indexOf(waiting as Waiting), 1);
    };
    try {
      await run.wait(maxWait, turn, abandon);
    } catch (error) {
      throw error instanceof DeadlineError
        ? rejection(run, 'bulkhead-wait', `no slot for ${run.origin} within ${maxWait} ms`)
        : error;
    }
  };

  const release = (passage: Passage): void => {
    if (passage.hasLeft) return;
    passage.hasLeft = true;
    passage.state.passages?.delete(passage);
    leave(passage.state);
  };

  /** The slots of an origin, without those of calls that were cut off. */
  const slotsOf = (origin: string, { clock, canShareIO }: Host): OriginState => {
    const known = origins.get(origin);
    if (known && known.inFlight >= limit)
      for (const each of known.passages ?? [])
        if (clock.ticks() - each.since >= LONGEST_PASSAGE) release(each);
    let state = origins.get(origin);
    if (!state) {
      state = { origin, inFlight: 0, waiters: [], passages: canShareIO ? undefined : new Set() };
      origins.set(origin, state);
    }
    return state;
  };

  const policy = stage<Passage>({
    ownsBody: true,
    enter(run) {
      const { origin, call } = run;
      const rank = rankOf(call.options.bulkhead);
      const state = slotsOf(origin, call.host);
      const passage = { state, since: call.host.clock.ticks(), hasLeft: false };
      if (state.inFlight >= limit) return enqueue(state, rank, run).then(() => passage);
      state.inFlight++;
      state.passages?.add(passage);
      return passage;
    },
    leave({ response }, passage) {
      // A policy further out may have to call again before it reads the body of a 4xx: to sign in, say. A failure
      // of the origin has to reach the breaker first.
      if (response && response.status >= 400 && !isOriginFailure(response.status)) release(passage);
    },
    settled: (_, passage) => release(passage),
  });

  return Object.assign(named('bulkhead', policy, { read: rankOf, brings: { ownBody } }), {
    states() {
      const states: ReturnType<Bulkhead['states']> = {};
      for (const [origin, { inFlight, waiters }] of origins)
        states[origin] = { inFlight, waiting: waiters.length };
      return states;
    },
  });
}

function rejection(
  { origin, call: { id: callId, emit } }: Run,
  code: 'bulkhead-full' | 'bulkhead-wait',
  message: string,
): CapacityError {
  emit?.({ type: 'refused', callId, origin, code });
  return new CapacityError(code, message, { callId, origin });
}
