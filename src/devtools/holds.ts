import type { OutboxEntry } from '../policies/outbox/queue/entry.ts';
import { heldAll, type Why, whyNotSent } from './model/why.ts';
import { shownUrl } from './model/words.ts';
import type { ClientSource } from './source.ts';

/** Why an entry of a source has not been delivered. */
export function holdOf(entry: OutboxEntry, source: ClientSource, now: number): Why {
  const { model, lanes, waiting } = source;
  const lane = lanes.find((info) => info.lane === entry.lane);
  const head = headsOf(waiting.items).get(entry.lane);
  return whyNotSent(entry, {
    ...outboxFacts(source),
    isSending: model.queue.sending.has(entry.id),
    isLanePaused: lane?.paused ?? false,
    stoppedBy: lane?.stoppedBy,
    ahead:
      head && head.key !== entry.key && entry.state === 'waiting'
        ? {
            name: `${head.request.method} ${pathOf(head.request.url)} (${head.id})`,
            why: holdOf(head, source, now).why,
          }
        : undefined,
    now,
  });
}

/** An entry that cannot be decrypted has no URL. */
const pathOf = (url: string): string => (URL.canParse(url) ? new URL(shownUrl(url)).pathname : 'unreadable');

/** What keeps all entries of a source. */
export const holdOfAll = (source: ClientSource): Why | undefined => heldAll(outboxFacts(source));

const outboxFacts = ({ reachability, model, counts }: ClientSource) => ({
  reachability,
  needsUpdate: model.needsUpdate,
  paused: counts?.paused,
});

const heads = new WeakMap<readonly OutboxEntry[], Map<string, OutboxEntry>>();

/** The first entry of each lane. The listing has the oldest first. */
function headsOf(items: readonly OutboxEntry[]): Map<string, OutboxEntry> {
  const known = heads.get(items);
  if (known) return known;
  const found = new Map<string, OutboxEntry>();
  for (const item of items) if (!found.has(item.lane)) found.set(item.lane, item);
  heads.set(items, found);
  return found;
}
