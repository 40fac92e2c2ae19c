import type { Rows } from './rows.ts';

/** What the application has paused, and which dead letters stop their lanes. */
export interface Holds {
  readonly all?: boolean;
  readonly lanes: readonly string[];
  readonly stopped: readonly (readonly [lane: string, key: string])[];
}

export const FREE: Holds = { lanes: [], stopped: [] };

/** Whether nothing of a lane may be sent. */
export const isHeld = ({ all, lanes, stopped }: Holds, lane: string): boolean =>
  all === true || lanes.includes(lane) || stopped.some(([each]) => each === lane);

export async function holdsOf(rows: Rows, partition: string): Promise<Holds> {
  const row = await rows.store.get(rows.places.holds(partition));
  const holds = (row?.value as Holds | undefined) ?? FREE;
  if (holds.stopped.length === 0) return holds;
  // A full disk may have let a dead letter go, and not what it had stopped.
  const found = await Promise.all(holds.stopped.map(([, key]) => rows.row(key)));
  return { ...holds, stopped: holds.stopped.filter((_, at) => found[at]?.state === 'dead-letter') };
}

/** Pauses a lane, or all of a user's, or ends that, for all then also of single lanes. @returns whether that changed anything. */
export function hold(
  rows: Rows,
  partition: string,
  lane: string | undefined,
  paused: boolean,
): Promise<boolean> {
  const key = rows.places.holds(partition);
  return rows.change([key], true, (get) => {
    const before = get<Holds>(key) ?? FREE;
    const others = lane === undefined && !paused ? [] : before.lanes.filter((each) => each !== lane);
    const lanes = paused && lane !== undefined ? [...others, lane] : others;
    const value: Holds = { ...before, lanes, all: lane === undefined ? paused : before.all === true };
    const changed = value.all !== (before.all ?? false) || lanes.length !== before.lanes.length;
    return { changes: changed ? [{ put: { key, value } }] : [], result: changed };
  });
}
