import type { Host } from '../../core/contract.ts';
import { newKey } from '../../http/idempotency.ts';
import type { Content } from './content.ts';
import type { OutboxEntry } from './entry.ts';

/** An entry with another content, which goes out under a key of its own: the old one stands for what was sent. */
export function rewritten(entry: OutboxEntry, { request, size, origin }: Content, host: Host): OutboxEntry {
  const { claimedAt: _, fingerprint: __, ...rest } = entry;
  return {
    ...rest,
    request,
    size,
    origin,
    idempotencyKey: newKey(host.random),
    revision: (entry.revision ?? 0) + 1,
  };
}
