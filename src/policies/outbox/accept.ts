import { OverdueError, within } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import { ConfigurationError, isFailure, StorageError } from '../../core/errors.ts';
import { chance, newKey } from '../../http/idempotency.ts';
import { type Content, contentOf } from './content.ts';
import { type OutboxEntry, revived } from './entry.ts';
import { fingerprint } from './fingerprint.ts';
import type { Accepted, Draft, Unsent } from './intake.ts';
import { type CallOutboxSettings, type OutboxSettings, STORE_PATIENCE } from './options.ts';
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

  /** @param notBefore When it may be sent; wall time in ms. */
  async accept(
    request: Request,
    call: Call,
    wanted: CallOutboxSettings,
    notBefore: number,
  ): Promise<Accepted> {
    const { lane = call.origin, key } = wanted;
    // A lane has the order in which writes are given, and some take longer to read than others.
    const turn = this.#turns.take(`${encodeURIComponent(call.partition)} ${lane}`);
    try {
      const waitsFor = await this.#parents(wanted, call);
      for (let tries = 0; tries < MERGES; tries++) {
        const unsent =
          key === undefined
            ? undefined
            : await this.#read(call, this.#queue.intake.unsent(call.partition, lane, key));
        const whole = await this.#merged(request, unsent, wanted, call);
        const content = await contentOf(whole, this.#settings, call);
        const draft = await drafted(whole, call, { ...wanted, lane }, content, this.#settings);
        const placed = { ...draft, notBefore, ...(waitsFor.length > 0 && { waitsFor }) };
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
    if (turn.before) await within(TURN_PATIENCE, call, turn.before).catch(() => {});
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
        if (asked && cause instanceof OverdueError) return patiently(call, commit);
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

  /** One request for the write that waits and the one that has just been given. */
  async #merged(
    later: Request,
    unsent: Unsent | undefined,
    { merge }: CallOutboxSettings,
    call: Call,
  ): Promise<Request> {
    const entry = unsent?.entry;
    if (!entry || typeof merge !== 'function') return later;
    const earlier = revived(entry, await this.#read(call, this.#queue.body(entry)));
    const both = await within(Infinity, call, merge(earlier, later.clone()));
    if (both instanceof Request) return both;
    throw new ConfigurationError('outbox.merge', both, 'expected a function that gives a Request');
  }

  /** The keys of the writes that this one waits for. @throws for an id that nobody knows. */
  async #parents({ after = [] }: CallOutboxSettings, call: Call): Promise<string[]> {
    const { partition } = call;
    const keys = await Promise.all(
      after.map(async (id) => {
        const entry = await this.#read(call, this.#queue.find(partition, id));
        if (entry) return entry.key;
        if (await this.#read(call, this.#queue.resultOf(partition, id))) return undefined;
        throw new ConfigurationError('outbox.after', id, 'expected the id of a write that is known');
      }),
    );
    return keys.filter((key) => key !== undefined);
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

async function drafted(
  request: Request,
  call: Call,
  { id, lane, meta, key, after, ...own }: CallOutboxSettings & { readonly lane: string },
  { request: stored, size, origin, body }: Content,
  settings: OutboxSettings,
): Promise<Omit<Draft, 'notBefore'>> {
  const { partition, host, options } = call;
  const now = host.clock.now();
  const { outbox: _, retry: __, ...rest } = options;
  const { expiresAfter = settings.expiresAfter, strict = settings.strict, unknownOutcome } = own;
  return {
    id,
    idempotencyKey: keyOf(request, settings) ?? newKey(host.random),
    partition,
    lane,
    origin,
    state: 'waiting',
    acceptedAt: now,
    expiresAt: now + expiresAfter,
    attempts: 0,
    request: stored,
    size,
    options: plain(rest),
    ...(meta !== undefined && { meta: settings.codec ? asJSON(meta) : meta }),
    ...(id !== undefined && { fingerprint: await fingerprint(request, body) }),
    ...(key !== undefined && { coalesce: key }),
    ...(after && { after }),
    ...(strict && { strict }),
    ...(unknownOutcome && { unknownOutcome }),
    ...(settings.codec && { seal: chance(host.random) }),
  };
}

const patiently = <T>(call: Call, work: Promise<T>): Promise<T> => within(STORE_PATIENCE, call, work);

/** What survives being stored: functions and signals do not, and a queued write may do without them. */
const plain = (options: Record<string, unknown>): Record<string, unknown> =>
  // JSON has no infinity; as a limit it says the same as `false`.
  JSON.parse(JSON.stringify(options, (_, value) => (value === Infinity ? false : value)));

function asJSON(meta: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(meta));
  } catch {
    throw new ConfigurationError('outbox.meta', meta, 'expected JSON, which can be sealed');
  }
}

/** The key that the application has given. */
const keyOf = ({ headers }: Request, { idempotencyHeader: name }: OutboxSettings): string | undefined =>
  (name && headers.get(name)) || undefined;
