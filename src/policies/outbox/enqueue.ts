import { follow } from '../../core/abort.ts';
import { dropBody } from '../../core/body.ts';
import { within } from '../../core/clock.ts';
import type { Call, Handler } from '../../core/contract.ts';
import { ConfigurationError, isFailure } from '../../core/errors.ts';
import { withBody } from '../../core/replay.ts';
import { newKey } from '../../http/idempotency.ts';
import { answerOf, queued, ResultLostError, type Settled, UndeliveredError } from './answers.ts';
import { bodyOf } from './content.ts';
import { type OutboxEntry, withKey } from './entry.ts';
import { mayHaveTaken } from './judge.ts';
import type { CallOutboxSettings } from './options.ts';
import type { Parts } from './parts.ts';
import { firstBackoff } from './schedule.ts';
import type { Known } from './sender.ts';
import { settlement } from './settlement.ts';

/** How long a write that may do without the store waits for it, in ms. */
const LANE_PATIENCE = 1_000;

/** Accepts a write, and answers as soon as it is known what to answer. */
export async function enqueue(
  request: Request,
  call: Call,
  wanted: CallOutboxSettings,
  parts: Parts,
  notBefore = 0,
): Promise<Response> {
  const { sender, news, settings } = parts;
  const { clock } = call.host;
  const answerAt = clock.ticks() + settings.answerAfter;
  const ended = new Set<string>();
  const seen = ({ key }: Known): void => void ended.add(key);
  sender.fates.add(seen);
  const accepting = parts.acceptance.accept(request, call, wanted, notBefore);
  const { entry, known } = await accepting.finally(() => sender.fates.delete(seen));
  const { id, origin, lane, partition, key } = entry;
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

/**
 * Sends a write first and keeps it only if it fails in a way for which the application says `queue`. Where others of its lane wait
 * it waits behind them, or it would overtake them.
 */
export async function enqueueFailed(
  next: Handler,
  request: Request,
  call: Call,
  parts: Parts,
): Promise<Response> {
  const { idempotencyHeader: name, maxEntryBytes } = parts.settings;
  const { host } = call;
  const body = await bodyOf(request, call, maxEntryBytes);
  if (body === null) return next(request, call);
  // The same key goes with both: what failed may have arrived.
  const keyed = withKey(request, name, () => newKey(host.random));
  /** Not the one that was given: its body may have been used. */
  const again = (): Request => (body === undefined ? keyed : withBody(keyed, body));
  const queue = (notBefore: number): Promise<Response> => enqueue(again(), call, {}, parts, notBefore);
  const queueFailed = (): Promise<Response> => queue(host.clock.now() + firstBackoff(host));
  let first = keyed;
  if (await isBehind(call, parts)) {
    try {
      return await queue(0);
    } catch (cause) {
      // What can never be kept cannot be behind others either.
      if (!(cause instanceof ConfigurationError)) throw cause;
      first = again();
    }
  }
  let response: Response;
  try {
    response = await next(first, { ...call, keyIsOurs: keyed !== request });
  } catch (error) {
    if (call.strategy?.(error) !== 'queue' || mayHaveTaken(error, request, call, parts.settings)) throw error;
    return queueFailed().catch((cause) => {
      throw isUnaccepted(cause) ? error : cause;
    });
  }
  if (call.strategy?.(response) !== 'queue' || mayHaveTaken(response, request, call, parts.settings))
    return response;
  try {
    const answer = await queueFailed();
    dropBody(response);
    return answer;
  } catch (cause) {
    if (isUnaccepted(cause)) return response;
    dropBody(response);
    throw cause;
  }
}

/** Whether anything of the lane waits. A store that does not say so keeps no write back that does without it. */
async function isBehind(call: Call, { queue }: Parts): Promise<boolean> {
  const { partition, origin } = call;
  const waiting = within(LANE_PATIENCE, call, queue.count('waiting', partition, origin));
  const count = await waiting.catch(() => 0);
  call.signal.throwIfAborted();
  return count > 0;
}

/** The write could not be kept; then what went wrong before stands. */
const isUnaccepted = (error: unknown): boolean =>
  isFailure(error) && ['storage', 'capacity', 'configuration'].includes(error.category);

/** Where the answer of a write that was delivered is not kept, the caller learns at least that it was accepted. */
async function answered(settled: Settled, entry: OutboxEntry): Promise<Response> {
  try {
    return answerOf(settled);
  } catch (error) {
    if (error instanceof ResultLostError) return queued(entry);
    throw error;
  }
}
