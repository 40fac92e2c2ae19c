import { DeadlineError, withDeadline } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import { ConfigurationError, isFailure, StorageError } from '../../core/errors.ts';
import { chance } from '../../http/idempotency.ts';
import { bodyOf, type Content, contentOf } from './content.ts';
import { drafted, stricter } from './draft.ts';
import { type OutboxEntry, revived } from './entry.ts';
import { fingerprint } from './fingerprint.ts';
import type { Accepted, Draft, Unsent } from './intake.ts';
import { type CallOutboxSettings, HOOK_PATIENCE, type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Queue } from './queue.ts';
import { type Turn, Turns } from './turns.ts';

/** How often two writes may come in between while they are merged. */
const MERGES = 20;

/** How long a write waits for those that were given before it and are not ready, in ms: a body may never end. */
const TURN_PATIENCE = 10_000;

/** Accepts writes: until one is committed nothing is accepted; from then on it is kept, whatever the caller does. */
export class Acceptance {
  readonly #queue: Queue;
  readonly #settings: OutboxSettings;
  /** Told of a write that was committed when its caller had gone. */
  readonly #late: (entry: OutboxEntry) => void;
  readonly #turns = new Turns();

  constructor(queue: Queue, settings: OutboxSettings, late: (entry: OutboxEntry) => void) {
    this.#queue = queue;
    this.#settings = settings;
    this.#late = late;
  }

  async accept(request: Request, call: Call, wanted: CallOutboxSettings): Promise<Accepted> {
    const { lane = call.origin, coalesce } = wanted;
    const key = coalesce?.key;
    // A lane has the order in which writes are given, and some take longer to read than others.
    const turn = this.#turns.take(`${encodeURIComponent(call.partition)} ${lane}`);
    try {
      for (let tries = 0; tries < MERGES; tries++) {
        const unsent = key === undefined ? undefined : await this.#unsent(call, lane, key);
        const whole = await this.#merged(request, unsent, wanted, call);
        const content = await contentOf(whole, this.#settings, call);
        const draft = await drafted(whole, call, { ...wanted, lane }, content, this.#settings);
        const placed = {
          ...draft,
          // It has what both say.
          ...(whole !== request && unsent?.entry && stricter(unsent.entry, draft, this.#settings)),
          ...(whole !== request && (await this.#printOf(request, wanted, call))),
        };
        const accepted = await this.#committed(placed, content, call, unsent, turn);
        if (accepted) return accepted;
      }
    } finally {
      turn.end();
    }
    throw new StorageError(`what is kept under the key '${key}' was changed by others all the time`, {
      origin: call.origin,
    });
  }

  async #committed(
    draft: Draft,
    { body, dropped }: Content,
    call: Call,
    unsent: Unsent | undefined,
    turn: Turn,
  ): Promise<Accepted | undefined> {
    const ready = await this.#queue.intake.prepared(draft, body, chance(call.host.random), unsent);
    if (turn.before) await withDeadline(TURN_PATIENCE, call, turn.before).catch(() => {});
    call.signal.throwIfAborted();
    let asked = false;
    let refused = false;
    const commit = ready(() => {
      // Who was told that it was not accepted may give it again: it must not be committed after all.
      if (refused) throw new StorageError('the write was refused');
      asked = true;
    });
    turn.end();
    try {
      const accepted = await patiently(call, commit).catch((cause) => {
        // It is just being written, and whether that stands can only be waited for.
        if (asked && cause instanceof DeadlineError) return patiently(call, commit);
        throw cause;
      });
      if (accepted && !accepted.known && dropped.length) {
        const { id, origin, lane } = accepted.entry;
        call.emit?.({ type: 'headers-dropped', id, origin, lane, names: dropped });
      }
      return accepted;
    } catch (cause) {
      refused = true;
      if (call.signal.aborted)
        commit.then((accepted) => accepted && this.#late(accepted.entry)).catch(() => {});
      else commit.catch(() => {});
      throw this.#refusal(cause, call, asked);
    }
  }

  /** What the write is merged into. */
  #unsent(call: Call, lane: string, key: string): Promise<Unsent> {
    return this.#read(call, this.#queue.intake.unsent(call.partition, lane, key));
  }

  /** Of the write as it was given: as such it may be given again. */
  async #printOf(
    request: Request,
    { id }: CallOutboxSettings,
    call: Call,
  ): Promise<Pick<Draft, 'fingerprint'> | undefined> {
    if (id === undefined) return undefined;
    const body = await bodyOf(request, call, this.#settings.maxEntryBytes);
    return { fingerprint: await fingerprint(request, body ?? undefined) };
  }

  /** One request for the write that waits and the one that has just been given. */
  async #merged(
    later: Request,
    unsent: Unsent | undefined,
    { coalesce }: CallOutboxSettings,
    call: Call,
  ): Promise<Request> {
    const entry = unsent?.entry;
    const merge = coalesce?.merge;
    if (!entry || typeof merge !== 'function') return later;
    const earlier = revived(entry, await this.#read(call, this.#queue.body(entry)));
    const both = await withDeadline(HOOK_PATIENCE, call, merge(earlier, later.clone())).catch((error) => {
      if (!(error instanceof DeadlineError)) throw error;
    });
    if (both instanceof Request) return both;
    throw new ConfigurationError(
      'outbox.coalesce.merge',
      both,
      'expected a function that gives a Request, within 30 s',
    );
  }

  /** Reads before anything is committed. @throws {StorageError} where the store cannot: then nothing was accepted. */
  async #read<T>(call: Call, work: Promise<T>): Promise<T> {
    try {
      return await patiently(call, work);
    } catch (cause) {
      throw this.#refusal(cause, call, false);
    }
  }

  /** Our own stores say for certain that nothing was kept; for another one that has seen the write, nobody can. */
  #refusal(cause: unknown, { signal, origin }: Call, asked: boolean): unknown {
    if (signal.aborted || isFailure(cause)) return cause;
    const what = asked
      ? 'does not say whether it has kept the write, which may yet be delivered'
      : 'did not accept the write';
    return new StorageError(`${this.#settings.store.name} ${what}: ${cause}`, {
      code: asked ? 'storage-unknown' : 'storage',
      origin,
      cause,
    });
  }
}

const patiently = <T>(call: Call, work: Promise<T>): Promise<T> => withDeadline(STORE_PATIENCE, call, work);
