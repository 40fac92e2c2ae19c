import { durationOrFalse as durationOrNone, integer, memoized, oneOf, readOptions } from '../core/check.ts';
import { DeadlineError } from '../core/clock.ts';
import { named } from '../core/contract.ts';
import type { Duration } from '../core/durations.ts';
import { CapacityError } from '../core/errors.ts';
import { type Run, type Stage, stage } from '../core/stage.ts';
import { isOriginFailure } from '../http/status.ts';

export interface BulkheadOptions {
  /** Calls in flight to one origin. Default 6. */
  readonly limit?: number;
  /** Calls that may wait for a place of theirs. Default 100; 0: none waits. */
  readonly queue?: number;
  /** How long one waits. Default 5 s; `false`: as long as its total time allows. */
  readonly maxWait?: Duration | false;
}

/** What one call (or a route) may say. */
export interface CallBulkhead {
  /** Who goes first when a place is free, and who may stay when the queue is full. Default `'normal'`. */
  readonly priority?: 'high' | 'normal' | 'low';
}

export interface Bulkhead extends Stage {
  /** The origins to which calls are under way. */
  states(): Record<string, { readonly inFlight: number; readonly waiting: number }>;
}

/** The places of one origin; forgotten when the last is free, so that what is kept is what is under way. */
interface Gate {
  readonly origin: string;
  inFlight: number;
  /** The highest priority first, the oldest first within one. */
  readonly line: Waiting[];
}

interface Waiting {
  readonly run: Run;
  readonly rank: number;
  /** @returns whether the slot was taken. */
  enter(): boolean;
  reject(reason: unknown): void;
}

/** One call that holds a slot. */
interface Passage {
  readonly gate: Gate;
  hasLeft: boolean;
}

const PRIORITIES = ['high', 'normal', 'low'] as const;

const NORMAL = 1;

const rankOf = memoized((given) =>
  PRIORITIES.indexOf(
    readOptions<Required<CallBulkhead>>(
      'bulkhead',
      given as object,
      { priority: oneOf(...PRIORITIES) },
      { priority: 'normal' },
    ).priority,
  ),
);

/**
 * Bounds what is in flight to one origin, and what waits for that. A place is held until the body of the response has
 * been read, was cancelled or broke: who does not want a body cancels it.
 *
 * The higher priority goes first, and who came first within one. When the queue is full a call of higher priority takes
 * the place of the newest of the lowest. A call that is aborted leaves the queue at once.
 *
 * Where I/O belongs to one request (Workers) nobody waits: a call that finds no place is refused.
 *
 * @throws {CapacityError} code `bulkhead-full`, or `bulkhead-wait` after `maxWait`; nothing was sent.
 * @see Nygard, Release It!, 2nd ed., ch. 5.
 */
export function bulkhead(options: BulkheadOptions = {}): Bulkhead {
  const { limit, queue, maxWait } = readOptions(
    'bulkhead',
    options,
    { limit: integer(1), queue: integer(), maxWait: durationOrNone },
    { limit: 6, queue: 100, maxWait: 5_000 },
  );
  const gates = new Map<string, Gate>();

  const leave = (gate: Gate): void => {
    gate.inFlight--;
    while (gate.inFlight < limit) {
      const first = gate.line.shift();
      if (!first) break;
      if (first.enter()) gate.inFlight++;
    }
    if (gate.inFlight === 0) gates.delete(gate.origin);
  };

  const full = (run: Run): CapacityError =>
    refusal(run, 'bulkhead-full', `all ${limit} slots for ${run.origin} are taken, and so is the queue`);

  const queued = async (gate: Gate, rank: number, run: Run): Promise<void> => {
    const { line } = gate;
    const { call } = run;
    if (!call.host.canShareIO) throw full(run);
    if (line.length >= queue) {
      const last = line.at(-1);
      if (!last || last.rank <= rank) throw full(run);
      line.pop();
      last.reject(full(last.run));
    }
    let ahead = line.length;
    while (ahead > 0 && (line[ahead - 1] as Waiting).rank > rank) ahead--;
    let waiting: Waiting | undefined;
    let hasSlot = false;
    const turn = new Promise<void>((resolve, reject) => {
      const enter = (): boolean => {
        try {
          // The circuit may have opened meanwhile.
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
    line.splice(ahead, 0, waiting as Waiting);
    call.emit?.({ type: 'waiting', callId: call.id, origin: run.origin, for: 'bulkhead', ahead });
    const abandon = (): void => {
      // The caller has left in the moment in which it had the slot.
      if (hasSlot) leave(gate);
      else if (line.includes(waiting as Waiting)) line.splice(line.indexOf(waiting as Waiting), 1);
    };
    try {
      await run.wait(maxWait, turn, abandon);
    } catch (error) {
      throw error instanceof DeadlineError
        ? refusal(run, 'bulkhead-wait', `no slot for ${run.origin} within ${maxWait} ms`)
        : error;
    }
  };

  const release = (passage: Passage): void => {
    if (passage.hasLeft) return;
    passage.hasLeft = true;
    leave(passage.gate);
  };

  const policy = stage<Passage>({
    ownsBody: true,
    enter(run) {
      const { origin } = run;
      const own = run.call.options.bulkhead;
      const rank = own === undefined || own === true ? NORMAL : rankOf(own);
      let gate = gates.get(origin);
      if (!gate) {
        gate = { origin, inFlight: 0, line: [] };
        gates.set(origin, gate);
      }
      const passage = { gate, hasLeft: false };
      if (gate.inFlight >= limit) return queued(gate, rank, run).then(() => passage);
      gate.inFlight++;
      return passage;
    },
    leave({ response }, passage) {
      // A policy further out that deals with a refusal may have to call again before its body is read: to sign in, say. A failure
      // of the origin has to reach the breaker first.
      if (response && response.status >= 400 && !isOriginFailure(response.status)) release(passage);
    },
    settled: (_, passage) => release(passage),
  });

  return Object.assign(named('bulkhead', policy), {
    states() {
      const states: ReturnType<Bulkhead['states']> = {};
      for (const [origin, { inFlight, line }] of gates) states[origin] = { inFlight, waiting: line.length };
      return states;
    },
  });
}

function refusal(
  { origin, call: { id: callId, emit } }: Run,
  code: 'bulkhead-full' | 'bulkhead-wait',
  message: string,
): CapacityError {
  emit?.({ type: 'refused', callId, origin, code });
  return new CapacityError(code, message, { callId, origin });
}
