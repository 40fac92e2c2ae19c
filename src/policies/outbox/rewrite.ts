import type { Host } from '../../core/contract.ts';
import { newKey } from '../../http/idempotency.ts';
import type { Content } from './content.ts';
import type { OutboxEntry } from './entry.ts';

/** An entry with another content, which goes out under a key of its own: the old one stands for what was sent. */
export function rewritten(
  entry: OutboxEntry,
  { request, size, origin, key }: Content,
  host: Host,
): OutboxEntry {
  const { claimedAt: _, fingerprint: __, ...rest } = entry;
  return {
    ...rest,
    request,
    size,
    origin,
    // The one of then may still be in the header, where the request was made from it.
    idempotencyKey: key === undefined || key === entry.idempotencyKey ? newKey(host.random) : key,
    revision: (entry.revision ?? 0) + 1,
  };
}
