import type { Change } from '../../../core/store.ts';
import type { Queue } from './queue.ts';
import type { EntryRecord, Get } from './records.ts';

/** The lanes that the application has paused, and the dead letters that stop their lanes (`blockLaneOnFailure`). */
export interface PauseState {
  readonly all?: boolean;
  readonly lanes: readonly string[];
  readonly stopped: readonly (readonly [lane: string, key: string])[];
  /** How often the user has signed out: a response of before is not stored. */
  readonly signOuts?: number;
}

const NOT_PAUSED: PauseState = { lanes: [], stopped: [] };

/** Whether a lane must not send. */
export const isPaused = ({ all, lanes, stopped }: PauseState, lane: string): boolean =>
  all === true || lanes.includes(lane) || stopped.some(([each]) => each === lane);

export async function readPauses(queue: Queue, partition: string): Promise<PauseState> {
  const pauses = (await queue.value<PauseState>(queue.keys.pauses(partition))) ?? NOT_PAUSED;
  // On a full disk a dead letter may have been removed without the lane that it stopped.
  const stoppers = await Promise.all(pauses.stopped.map(([, key]) => queue.value<EntryRecord>(key)));
  return { ...pauses, stopped: pauses.stopped.filter((_, at) => stoppers[at]?.state === 'dead-letter') };
}

/** Pauses or resumes a lane, or all lanes of a user; resuming all also resumes single lanes. @returns whether anything changed. */
export function setPaused(
  queue: Queue,
  partition: string,
  lane: string | undefined,
  paused: boolean,
): Promise<boolean> {
  const key = queue.keys.pauses(partition);
  return queue.change([key], true, (get) => {
    const before = get<PauseState>(key) ?? NOT_PAUSED;
    const others = lane === undefined && !paused ? [] : before.lanes.filter((each) => each !== lane);
    const lanes = paused && lane !== undefined ? [...others, lane] : others;
    const value: PauseState = { ...before, lanes, all: lane === undefined ? paused : before.all === true };
    const changed = value.all !== (before.all ?? false) || lanes.length !== before.lanes.length;
    return { changes: changed ? [{ put: { key, value } }] : [], result: changed };
  });
}

/** The change of a sign-out. */
export function countSignOut(key: string, get: Get): Change[] {
  const before = get<PauseState>(key) ?? NOT_PAUSED;
  return [{ put: { key, value: { ...before, signOuts: (before.signOuts ?? 0) + 1 } } }];
}

/** The change of the stopped lanes: a dead letter stops its lane, until it is sent again or removed. */
export function stopOrRelease(key: string, get: Get, entry: EntryRecord, isStopper: boolean): Change[] {
  const before = get<PauseState>(key) ?? NOT_PAUSED;
  const others = before.stopped.filter(([, stopper]) => stopper !== entry.key);
  const stopped = isStopper ? [...others, [entry.lane, entry.key] as const] : others;
  return stopped.length === before.stopped.length ? [] : [{ put: { key, value: { ...before, stopped } } }];
}
