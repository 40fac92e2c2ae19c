import { OverdueError, within } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import { CapacityError, ConfigurationError, isFailure, StorageError } from '../../core/errors.ts';
import { hasBody, keepable } from '../../core/replay.ts';
import type { StoredBody } from '../../core/store.ts';
import { CREDENTIALS } from '../../http/credentials.ts';
import { chance, newKey } from '../../http/idempotency.ts';
import { type OutboxEntry, sortHeaders, storedRequest } from './entry.ts';
import { fingerprint } from './fingerprint.ts';
import { type CallOutbox, type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Accepted, Draft, Queue } from './queue.ts';

/**
 * Commits a write. Until then nothing is accepted; from then on it is kept, whatever the caller does.
 *
 * @param notBefore When it may be sent; wall time in ms.
 * @param late Told of a write that was committed when its caller had gone.
 */
export async function accept(
  request: Request,
  call: Call,
  wanted: CallOutbox,
  queue: Queue,
  settings: OutboxSettings,
  notBefore: number,
  late: (entry: OutboxEntry) => void,
): Promise<Accepted> {
  const { draft, body, dropped } = await drafted(request, call, wanted, settings, notBefore);
  call.signal.throwIfAborted();
  let asked = false;
  let refused = false;
  const commit = queue.accept(draft, body, chance(call.host.random), () => {
    // Who was told that it was not accepted may give it again: it must not be committed after all.
    if (refused) throw new StorageError('the write was refused');
    asked = true;
  });
  const patiently = (): Promise<Accepted> => within(STORE_PATIENCE, call, commit);
  try {
    const accepted = await patiently().catch((cause) => {
      // It is just being written, and whether that stands can only be waited for.
      if (asked && cause instanceof OverdueError) return patiently();
      throw cause;
    });
    if (!accepted.known && dropped.length) {
      const { id, origin, lane } = accepted.entry;
      call.emit?.({ type: 'headers-dropped', id, origin, lane, names: dropped });
    }
    return accepted;
  } catch (cause) {
    refused = true;
    if (call.signal.aborted) commit.then(({ entry }) => late(entry)).catch(() => {});
    else commit.catch(() => {});
    if (call.signal.aborted || isFailure(cause)) throw cause;
    // Our own stores say for certain that nothing was kept; for another one that has seen the write, nobody can.
    const what = asked
      ? 'does not say whether it has kept the write, which may yet be delivered'
      : 'did not accept the write';
    throw new StorageError(`${settings.store.name} ${what}: ${cause}`, {
      code: asked ? 'storage-unknown' : 'storage',
      origin: call.origin,
      cause,
    });
  }
}

async function drafted(
  request: Request,
  call: Call,
  { id, lane = call.origin, meta }: CallOutbox,
  { idempotencyHeader, keepHeaders, authorize, maxEntryBytes, expiresAfter }: OutboxSettings,
  notBefore: number,
): Promise<{ draft: Draft; body: StoredBody | undefined; dropped: string[] }> {
  const { origin, partition, host, options } = call;
  if (request.redirect === 'manual')
    throw new ConfigurationError('redirect', 'manual', 'the outbox has to see the answer, and this hides it');
  if (request.mode === 'no-cors')
    throw new ConfigurationError(
      'mode',
      'no-cors',
      'the outbox has to see the answer, and this mode hides it',
    );
  const { kept, dropped } = sortHeaders(
    request.headers,
    idempotencyHeader ? [...keepHeaders, idempotencyHeader.toLowerCase()] : keepHeaders,
  );
  const lost = authorize ? [] : dropped.filter((name) => CREDENTIALS.includes(name));
  if (lost.length)
    throw new ConfigurationError(
      'outbox.authorize',
      undefined,
      `'${lost}' is not written to disk, so a hook has to put it back`,
    );
  const body = await bodyOf(request, call, maxEntryBytes);
  if (body === null)
    throw new CapacityError('too-large', `the body is larger than ${maxEntryBytes} bytes`, { origin });
  const now = host.clock.now();
  const { outbox: _, retry: __, ...rest } = options;
  const draft: Draft = {
    id,
    idempotencyKey: (idempotencyHeader && request.headers.get(idempotencyHeader)) || newKey(host.random),
    partition,
    lane,
    origin,
    state: 'waiting',
    acceptedAt: now,
    expiresAt: now + expiresAfter,
    notBefore,
    attempts: 0,
    request: storedRequest(request, kept),
    size: typeof body === 'string' ? body.length : body instanceof Blob ? body.size : (body?.byteLength ?? 0),
    options: plain(rest),
    ...(meta !== undefined && { meta }),
    ...(id !== undefined && { fingerprint: await fingerprint(request, body) }),
  };
  return { draft, body, dropped: authorize ? [] : dropped };
}

/** A request's body as it is kept; `null` where it is larger than `limit`. @throws the caller's reason while it reads. */
export const bodyOf = async (
  request: Request,
  call: Call,
  limit: number,
): Promise<StoredBody | null | undefined> =>
  hasBody(request) ? within(Infinity, call, keepable(request, limit)) : undefined;

/** What survives being stored: functions and signals do not, and a queued write may do without them. */
const plain = (options: Record<string, unknown>): Record<string, unknown> =>
  // JSON has no infinity; as a limit it says the same as `false`.
  JSON.parse(JSON.stringify(options, (_, value) => (value === Infinity ? false : value)));
