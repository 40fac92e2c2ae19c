import type { PipelineContext } from '../../core/contract.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { dueIn, type Respect } from './backoff.ts';
import type { OutboxEntry } from './entry.ts';
import type { EntryReader } from './entry-reader.ts';
import type { LaneGate } from './lane-gate.ts';
import type { LaneWorker } from './lane-worker.ts';
import type { Lease } from './lease.ts';
import { STORE_TIMEOUT } from './options.ts';
import type { Queue } from './queue.ts';

/** In how many ms to look at a lane again; `undefined`: when something happens. */
export type NextWakeup = number | undefined;

/** What a worker needs. */
export interface WorkerContext {
  readonly pipeline: PipelineContext;
  readonly queue: Queue;
  readonly worker: LaneWorker;
}

/** Sends the entries of a locked lane in order, until none is due. */
export async function drainLane(
  of: { readonly partition: string; readonly lane: string },
  respect: Respect,
  reader: EntryReader,
  gate: LaneGate,
  lease: Lease | undefined,
  { pipeline, queue, worker }: WorkerContext,
): Promise<NextWakeup> {
  const drain = { lease, gate };
  const due = (entry: OutboxEntry, but: Respect): number => dueIn(entry, pipeline.host.clock.now(), but);
  reader.reset();
  while (await gate.canSendNext()) {
    if (reader.isInvalidated) reader.reset();
    const pending = await reader.next();
    if (!pending) return undefined;
    const { entry } = pending;
    const reason = worker.terminalReason(entry);
    const wait = due(entry, respect);
    if (!reason && wait > 0) return wait;
    const next = reason
      ? await worker.deadLetter(entry, reason, undefined, drain)
      : await worker.send(pending, drain);
    if (next === 'stop') {
      // With the pipeline's signal: a closing page must release the lane.
      const head = await withDeadline(STORE_TIMEOUT, pipeline, queue.head(of.partition, of.lane));
      return head && due(head, 'all');
    }
    if (next === 'reload') reader.reset();
  }
  return undefined;
}
