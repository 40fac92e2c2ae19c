import type { Records } from '../queue/records.ts';

/** The lanes that the application has paused, and the dead letters that stop their lanes. */
export interface PauseState {
  readonly all?: boolean;
  readonly lanes: readonly string[];
  readonly stopped: readonly (readonly [lane: string, key: string])[];
}

export const NOT_PAUSED: PauseState = { lanes: [], stopped: [] };

/** Whether a lane must not send. */
export const isPaused = ({ all, lanes, stopped }: PauseState, lane: string): boolean =>
  all === true || lanes.includes(lane) || stopped.some(([each]) => each === lane);

export async function readPauses(records: Records, partition: string): Promise<PauseState> {
  const record = await records.store.get(records.keys.pauses(partition));
  const holds = (record?.value as PauseState | undefined) ?? NOT_PAUSED;
  if (holds.stopped.length === 0) return holds;
  // On a full disk a dead letter may have been removed without the lane that it stopped.
  const found = await Promise.all(holds.stopped.map(([, key]) => records.read(key)));
  return { ...holds, stopped: holds.stopped.filter((_, at) => found[at]?.state === 'dead-letter') };
}

/** Pauses or resumes a lane, or all lanes of a user; resuming all also resumes single lanes. @returns whether anything changed. */
export function setPaused(
  records: Records,
  partition: string,
  lane: string | undefined,
  paused: boolean,
): Promise<boolean> {
  const key = records.keys.pauses(partition);
  return records.change([key], true, (get) => {
    const before = get<PauseState>(key) ?? NOT_PAUSED;
    const others = lane === undefined && !paused ? [] : before.lanes.filter((each) => each !== lane);
    const lanes = paused && lane !== undefined ? [...others, lane] : others;
    const value: PauseState = { ...before, lanes, all: lane === undefined ? paused : before.all === true };
    const changed = value.all !== (before.all ?? false) || lanes.length !== before.lanes.length;
    return { changes: changed ? [{ put: { key, value } }] : [], result: changed };
  });
}
