import type { Call } from '../../core/contract.ts';
import { chance, newKey } from '../../http/idempotency.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { fingerprint } from './fingerprint.ts';
import type { EntryDraft } from './insert.ts';
import type { CallOutboxSettings, OutboxSettings } from './options.ts';
import type { SerializedRequest } from './serialize.ts';

/** The delivery options of one write. */
type DeliveryOptions = Pick<EntryDraft, 'blockLaneOnFailure' | 'delivery'>;

/** The entry to insert: the write with the options of its call. */
export async function createDraft(
  request: Request,
  call: Call,
  { id, lane, meta, coalesce, ...own }: CallOutboxSettings & { readonly lane: string },
  { request: stored, size, origin, body, key: given }: SerializedRequest,
  settings: OutboxSettings,
): Promise<EntryDraft> {
  const { partition, host, options } = call;
  const now = host.clock.now();
  const { outbox: _, retry: __, ...rest } = options;
  const {
    expiresAfter = settings.expiresAfter,
    blockLaneOnFailure = settings.blockLaneOnFailure,
    delivery,
  } = own;
  return {
    id,
    idempotencyKey: given ?? newKey(host.random),
    partition,
    lane,
    origin,
    state: 'waiting',
    acceptedAt: now,
    expiresAt: now + expiresAfter,
    ...(own.expiresAfter !== undefined && { ttl: own.expiresAfter }),
    notBefore: 0,
    attempts: 0,
    request: stored,
    size,
    options: plain(rest),
    ...(meta !== undefined && { meta: settings.encryption ? asJSON(meta) : meta }),
    ...(id !== undefined && { fingerprint: await fingerprint(request, body) }),
    ...(coalesce && { coalesceKey: coalesce.key }),
    ...(blockLaneOnFailure && { blockLaneOnFailure }),
    ...(delivery && { delivery }),
    ...(settings.encryption && { cipherContext: chance(host.random) }),
  };
}

/** The stricter options of two writes that go out as one. */
export function mergeDeliveryOptions(
  earlier: DeliveryOptions,
  later: DeliveryOptions,
  { delivery: usual }: OutboxSettings,
): Pick<EntryDraft, 'blockLaneOnFailure' | 'delivery'> {
  const isOnce = [earlier, later].some(({ delivery = usual }) => delivery === 'at-most-once');
  return {
    ...((earlier.blockLaneOnFailure || later.blockLaneOnFailure) && { blockLaneOnFailure: true }),
    ...(isOnce && { delivery: 'at-most-once' }),
  };
}

/** The part of the options that can be stored: functions and signals are left out. */
const plain = (options: Record<string, unknown>): Record<string, unknown> =>
  // JSON has no infinity; as a limit, `false` means the same.
  JSON.parse(JSON.stringify(options, (_, value) => (value === Infinity ? false : value)));

/** Rejects data that JSON would change. */
function asJSON(meta: unknown): unknown {
  if (isJSON(meta)) return meta;
  throw new ConfigurationError('outbox.meta', meta, 'expected JSON, which can be encrypted');
}

function isJSON(value: unknown, above: readonly unknown[] = []): boolean {
  if (value === null || ['string', 'boolean', 'undefined'].includes(typeof value)) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || above.includes(value)) return false;
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isPlain && Object.values(value).every((each) => isJSON(each, [...above, value]));
}
