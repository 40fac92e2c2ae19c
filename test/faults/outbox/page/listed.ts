import type { Outbox, OutboxEntry } from '../../../../src/index.ts';
import type { Found } from './tell.ts';

/** All entries of an outbox. */
export async function listed(box: Outbox): Promise<Found> {
  const { count } = await box.counts();
  const waiting = await all(box, 'waiting');
  const dead = await all(box, 'dead-letter');
  return {
    count,
    waiting: waiting.map(({ id }) => id),
    dead: dead.map(({ id, reason }) => ({
      item: id,
      why: String(reason?.code === 'http' ? reason.status : reason?.code),
    })),
  };
}

async function all(box: Outbox, state: OutboxEntry['state']): Promise<OutboxEntry[]> {
  const found: OutboxEntry[] = [];
  for (;;) {
    const last = found.at(-1);
    const page = await box.entries({ state, limit: 100, ...(last && { after: last.key }) });
    if (page.length === 0) return found;
    found.push(...page);
  }
}
