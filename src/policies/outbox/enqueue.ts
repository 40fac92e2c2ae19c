import { follow } from '../../core/abort.ts';
import type { Call } from '../../core/contract.ts';
import { answerOf, queued, ResultLostError, type Settled, UndeliveredError } from './answers.ts';
import type { OutboxEntry } from './entry.ts';
import type { CallOutboxSettings } from './options.ts';
import type { Parts } from './parts.ts';
import type { Known } from './sender.ts';
import { settlement } from './settlement.ts';

/** Accepts a write, and answers as soon as it is known what to answer. */
export async function enqueue(
  request: Request,
  call: Call,
  wanted: CallOutboxSettings,
  parts: Parts,
): Promise<Response> {
  const { sender, news, settings } = parts;
  const { clock } = call.host;
  const answerAt = clock.ticks() + settings.respondAfter;
  const ended = new Set<string>();
  const seen = ({ key }: Known): void => void ended.add(key);
  sender.fates.add(seen);
  const accepting = parts.acceptance.accept(request, call, wanted);
  const { entry, known } = await accepting.finally(() => sender.fates.delete(seen));
  const { id, origin, lane, partition, key } = entry;
  parts.askToPersist();
  news.tell({ type: 'queued', id, origin, lane, callId: call.id }, partition, key);
  return new Promise((resolve, reject) => {
    const ends: (() => void)[] = [];
    let over = false;
    const end = (settle: () => void): void => {
      if (over) return;
      over = true;
      for (const each of ends) each();
      settle();
    };
    const later = (): void =>
      end(() => {
        parts.askForSync();
        resolve(queued(entry));
      });
    const postponed = (which: string): void => void (which === key && later());
    const drain = sender.drainFor(partition, lane);
    call.waitUntil(drain.done);
    ends.push(drain.leave);
    // Gone in the very moment of the commit: the entry stays.
    if (call.signal.aborted) return end(() => reject(call.signal.reason));
    const settled = settlement(
      entry,
      parts,
      (settled) => end(() => resolve(answered(settled, entry))),
      // It has been accepted: that the store does not answer now is no failure of the call.
      (error) => (error instanceof UndeliveredError ? end(() => reject(error)) : later()),
    );
    ends.push(
      settled.end,
      // The commit is part of the caller's wait.
      clock.after(Math.max(0, answerAt - clock.ticks()), later),
      follow(call.signal, (reason) => end(() => reject(reason))),
      () => sender.postponed.delete(postponed),
    );
    sender.postponed.add(postponed);
    if (known || ended.has(key)) void settled.look();
    // Offline, paused, behind others that wait: nothing more can be done now; unless it was done before we could see.
    const mayHaveEnded = (): boolean => !over && (known || ended.has(key) || sender.gate.isOpen(partition));
    void drain.done.then(() => (mayHaveEnded() ? settled.look() : undefined)).then(later);
  });
}

/** Where the answer of a write that was delivered is not kept, the caller learns at least that it was accepted. */
async function answered(settled: Settled, entry: OutboxEntry): Promise<Response> {
  try {
    return answerOf(settled);
  } catch (error) {
    if (error instanceof ResultLostError) return queued(entry);
    throw error;
  }
}
