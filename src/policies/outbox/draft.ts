import type { Call } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { chance, newKey } from '../../http/idempotency.ts';
import type { Content } from './content.ts';
import { fingerprint } from './fingerprint.ts';
import type { Draft } from './intake.ts';
import type { CallOutboxSettings, OutboxSettings } from './options.ts';

/** What one write may say of how it is sent. */
type Terms = Pick<Draft, 'blockLaneOnFailure' | 'delivery'>;

/** A write as it is to be accepted, with all that its call has said of it. */
export async function drafted(
  request: Request,
  call: Call,
  { id, lane, meta, coalesce, ...own }: CallOutboxSettings & { readonly lane: string },
  { request: stored, size, origin, body, key: given }: Content,
  settings: OutboxSettings,
): Promise<Draft> {
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
    ...(own.expiresAfter !== undefined && { lifetime: own.expiresAfter }),
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
    ...(settings.encryption && { seal: chance(host.random) }),
  };
}

/** What holds for two writes that go out as one. */
export function stricter(
  earlier: Terms,
  later: Terms,
  { delivery: usual }: OutboxSettings,
): Pick<Draft, 'blockLaneOnFailure' | 'delivery'> {
  const isOnce = [earlier, later].some(({ delivery = usual }) => delivery === 'at-most-once');
  return {
    ...((earlier.blockLaneOnFailure || later.blockLaneOnFailure) && { blockLaneOnFailure: true }),
    ...(isOnce && { delivery: 'at-most-once' }),
  };
}

/** What survives being stored: functions and signals do not, and a queued write may do without them. */
const plain = (options: Record<string, unknown>): Record<string, unknown> =>
  // JSON has no infinity; as a limit it says the same as `false`.
  JSON.parse(JSON.stringify(options, (_, value) => (value === Infinity ? false : value)));

/** What would not come back as it was is an error, and not lost. */
function asJSON(meta: unknown): unknown {
  if (isJSON(meta)) return meta;
  throw new ConfigurationError('outbox.meta', meta, 'expected JSON, which can be sealed');
}

function isJSON(value: unknown, above: readonly unknown[] = []): boolean {
  if (value === null || ['string', 'boolean', 'undefined'].includes(typeof value)) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || above.includes(value)) return false;
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isPlain && Object.values(value).every((each) => isJSON(each, [...above, value]));
}
