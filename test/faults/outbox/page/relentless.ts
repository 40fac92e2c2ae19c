/** A page that writes without pause, over lanes side by side, until it is killed. */
import { createFetch, type HoldfastEvent, isFailure, isQueued, outbox } from '../../../../src/index.ts';
import { findDatabase } from './database.ts';
import { listed } from './listed.ts';
import { settingsIn } from './settings.ts';
import { tell } from './tell.ts';
import { LANES, MAX_BODY, type Write, writeOf } from './writes.ts';

const { seed, origin, life, last, broken } = settingsIn(location.search);

tell({ begun: await findDatabase('holdfast-outbox') });

const looked = Promise.withResolvers<void>();
const box = outbox({
  // So quick that much happens between two kills, and so few that some fail as often.
  attempts: 3,
  backoffLimit: '30ms',
  maxEntries: 40,
  maxEntryBytes: MAX_BODY,
  idempotencyHeader: broken === 'no-key' ? false : 'Idempotency-Key',
  async authorize(_, { id }) {
    // The page lists the entries of the last life before it sends anything.
    await looked.promise;
    if (broken === 'deletes-first') await box.remove(id);
  },
});
const api = createFetch({
  partition: 'public',
  outbox: box,
  timeout: { attempt: '500ms' },
  breaker: false,
  onEvent,
});

/** Callers that wait for a commit, by id, and for room in the outbox. */
const commits = new Map<string, () => void>();
const rooms: (() => void)[] = [];

function onEvent(event: HoldfastEvent): void {
  if (event.type === 'store-failed') tell({ trouble: `${event.operation}: ${event.error}` });
  if (event.type === 'queued') {
    tell({ accepted: event.id });
    commits.get(event.id)?.();
  }
  if (['delivered', 'dead-lettered', 'removed'].includes(event.type))
    for (const enter of rooms.splice(0)) enter();
}

tell({ found: await listed(box) });
looked.resolve();
if (last) await drain();
else for (const lane of LANES) void writeTo(lane);

/**
 * Each as soon as the one before is on the disk: the write that is accepted first has the lower
 * number.
 */
async function writeTo(lane: string): Promise<never> {
  for (let nth = 0; ; nth++) await give(writeOf(seed, lane, life, nth));
}

/** Settles when the write has been accepted or rejected. */
async function give(write: Write): Promise<void> {
  const { item, kind } = write;
  const abort = new AbortController();
  const committed = new Promise<void>((resolve) => commits.set(item, resolve));
  const times = kind === 'twice' ? 2 : 1;
  const sendings = Promise.all(Array.from({ length: times }, () => send(write, item, abort.signal)));
  if (kind === 'aborted') abort.abort();
  const codes = await Promise.race([committed, sendings]);
  commits.delete(item);
  if (codes) tellRefusal(item, codes[0]);
  if (codes?.includes('outbox-full')) await new Promise<void>((enter) => rooms.push(enter));
  if (codes || kind !== 'another') return;
  const another = `${item}-another`;
  const body = JSON.stringify({ item: another });
  tellRefusal(another, await send({ ...write, item: another, body }, item));
}

/** Any other end leaves the outcome of the write open, and is unexpected. */
function tellRefusal(item: string, code: string | undefined): void {
  const isMeant = ['outbox-full', 'too-large', 'id-conflict', 'AbortError'].includes(String(code));
  tell(isMeant ? { refused: item, code: String(code) } : { trouble: `${item} ended with ${code}` });
}

/** @returns the code of the rejection. */
async function send(
  { item, lane, body, delay }: Write,
  id: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const response = await api(`${origin}/${lane}/orders?delay=${delay}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      holdfast: { outbox: { id, lane } },
      ...(signal && { signal }),
    });
    if (!isQueued(response)) tell({ answered: item, status: response.status });
    return undefined;
  } catch (error) {
    return isFailure(error) ? error.code : (error as Error).name;
  }
}

async function drain(): Promise<void> {
  for (;;) {
    await box.flush();
    const found = await listed(box);
    if (found.waiting.length === 0) return tell({ ended: found });
  }
}
