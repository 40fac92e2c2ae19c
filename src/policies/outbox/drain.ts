import { withDeadline } from '../../core/clock.ts';
import type { PipelineContext } from '../../core/contract.ts';
import type { Dispatch } from './dispatch.ts';
import type { OutboxEntry } from './entry.ts';
import type { Lease } from './lease.ts';
import { STORE_PATIENCE } from './options.ts';
import type { Permit } from './permit.ts';
import type { Queue } from './queue.ts';
import { dueIn, type Waits } from './schedule.ts';
import type { Supply } from './supply.ts';

/** In how many ms to come back to a lane; `undefined`: when something happens. */
export type Rest = number | undefined;

/** What sending takes. */
export interface Means {
  readonly pipeline: PipelineContext;
  readonly queue: Queue;
  readonly dispatch: Dispatch;
}

/** Sends a lane that is ours alone, in order, until there is nothing more to send just now. */
export async function drained(
  of: { readonly partition: string; readonly lane: string },
  waits: Waits,
  supply: Supply,
  permit: Permit,
  lease: Lease | undefined,
  { pipeline, queue, dispatch }: Means,
): Promise<Rest> {
  const drain = { lease, permit };
  const due = (entry: OutboxEntry, but: Waits): number => dueIn(entry, pipeline.host.clock.now(), but);
  supply.rewind();
  while (await permit.given()) {
    if (supply.isOver) supply.rewind();
    const supplied = await supply.next();
    if (!supplied) return undefined;
    const { entry } = supplied;
    const reason = dispatch.hopeless(entry);
    const wait = due(entry, waits);
    if (!reason && wait > 0) return wait;
    const next = reason
      ? await dispatch.bury(entry, reason, undefined, drain)
      : await dispatch.send(supplied, drain);
    if (next === 'stop') {
      // Who hangs on this when the page closes must give the lane back.
      const head = await withDeadline(STORE_PATIENCE, pipeline, queue.head(of.partition, of.lane));
      return head && due(head, 'all');
    }
    if (next === 'reread') supply.rewind();
  }
  return undefined;
}
