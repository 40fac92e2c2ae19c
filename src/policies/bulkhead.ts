import { follow } from '../core/abort.ts';
import { ownBody } from '../core/body.ts';
import { count, limit as durationOrNone, memoized, oneOf, readOptions } from '../core/check.ts';
import { type Call, named, type Policy } from '../core/contract.ts';
import type { Duration } from '../core/durations.ts';
import { CapacityError } from '../core/errors.ts';
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

export interface Bulkhead extends Policy {
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
  readonly call: Call;
  readonly rank: number;
  /** @returns whether the place was taken. */
  enter(): boolean;
  /** Takes it out of the line. */
  refuse(reason: unknown): void;
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
    { limit: count(1), queue: count(), maxWait: durationOrNone },
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

  const full = (call: Call): CapacityError =>
    refusal(call, 'bulkhead-full', `all ${limit} places for ${call.origin} are taken, and so is the queue`);

  const turn = (gate: Gate, rank: number, call: Call): Promise<void> => {
    const { line } = gate;
    if (!call.host.sharesIO) throw full(call);
    if (line.length >= queue) {
      const last = line.at(-1);
      if (!last || last.rank <= rank) throw full(call);
      last.refuse(full(last.call));
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel();
        unfollow();
      };
      const waiting: Waiting = {
        call,
        rank,
        enter() {
          end();
          try {
            // The circuit may have opened meanwhile.
            call.readmit?.();
          } catch (refused) {
            reject(refused);
            return false;
          }
          resolve();
          return true;
        },
        refuse(reason) {
          end();
          line.splice(line.indexOf(waiting), 1);
          reject(reason);
        },
      };
      let ahead = line.length;
      while (ahead > 0 && (line[ahead - 1] as Waiting).rank > rank) ahead--;
      line.splice(ahead, 0, waiting);
      const cancel = call.host.clock.after(maxWait, () =>
        waiting.refuse(refusal(call, 'bulkhead-wait', `no place for ${call.origin} within ${maxWait} ms`)),
      );
      const unfollow = follow(call.signal, waiting.refuse);
      call.emit?.({ type: 'waiting', callId: call.id, origin: call.origin, for: 'bulkhead', ahead });
    });
  };

  const policy: Policy = (next) => async (request, call) => {
    const { origin, signal } = call;
    const own = call.options.bulkhead;
    const rank = own === undefined || own === true ? NORMAL : rankOf(own);
    if (signal.aborted) throw signal.reason;
    let gate = gates.get(origin);
    if (!gate) {
      gate = { origin, inFlight: 0, line: [] };
      gates.set(origin, gate);
    }
    if (gate.inFlight < limit) gate.inFlight++;
    else await turn(gate, rank, call);
    const held = gate;
    let response: Response;
    try {
      response = await next(request, call);
    } catch (error) {
      leave(held);
      throw error;
    }
    // Whoever deals with a refusal may have to call again before its body is read: to sign in, say. A failure of the
    // origin has to reach the breaker first.
    if (response.status < 400 || isOriginFailure(response.status))
      return ownBody(response, { settled: () => leave(held) });
    leave(held);
    return response;
  };

  return Object.assign(named('bulkhead', policy), {
    states() {
      const states: ReturnType<Bulkhead['states']> = {};
      for (const [origin, { inFlight, line }] of gates) states[origin] = { inFlight, waiting: line.length };
      return states;
    },
  });
}

function refusal(
  { id: callId, origin, emit }: Call,
  code: 'bulkhead-full' | 'bulkhead-wait',
  message: string,
): CapacityError {
  emit?.({ type: 'refused', callId, origin, code });
  return new CapacityError(code, message, { callId, origin });
}
