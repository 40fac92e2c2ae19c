import type { Host } from '../../core/contract.ts';
import { newKey } from '../../http/idempotency.ts';
import type { OutboxEntry } from './entry.ts';
import type { SerializedRequest } from './serialize.ts';

/** An entry with another request, under a new idempotency key: the old one belongs to the request that was sent. */
export function replaceRequest(
  entry: OutboxEntry,
  { request, size, origin, key }: SerializedRequest,
  host: Host,
): OutboxEntry {
  const { claimedAt: _, fingerprint: __, ...rest } = entry;
  return {
    ...rest,
    request,
    size,
    origin,
    // A request that was made from the old one still has the old key in its header.
    idempotencyKey: key === undefined || key === entry.idempotencyKey ? newKey(host.random) : key,
    revision: (entry.revision ?? 0) + 1,
  };
}
