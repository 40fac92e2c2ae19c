import { describe, expect, test } from 'vitest';
import type { CallOutbox, OutboxOptions } from '../../../src/policies/outbox/options.ts';
import type { OutboxEntry } from '../../../src/policies/outbox/queue/entry.ts';
import { networkError, ok, type Step, status } from '../../../src/testing.ts';
import { type Page, page, settle } from '../../support/outbox-page.ts';
import { giveOffline, sent } from '../../support/outbox-writes.ts';

/** What comes of an attempt to send the first of two writes of a lane. */
interface Row {
  readonly after: string;
  readonly origin?: readonly Step[];
  readonly options?: OutboxOptions;
  readonly call?: CallOutbox;
  /** State, attempts and the code of the reason; a delivered entry has none. */
  readonly first: readonly [state: 'delivered' | 'waiting' | 'dead-letter', attempts?: number, code?: string];
  /** Whether the lane goes on with the next write at once. */
  readonly lane: 'goes on' | 'waits';
}

const rows: readonly Row[] = [
  { after: '2xx', origin: [ok()], first: ['delivered'], lane: 'goes on' },
  { after: '422', origin: [status(422)], first: ['dead-letter', 1, 'http'], lane: 'goes on' },
  {
    after: '422, blockLaneOnFailure',
    origin: [status(422)],
    call: { blockLaneOnFailure: true },
    first: ['dead-letter', 1, 'http'],
    lane: 'waits',
  },
  { after: '503', origin: [status(503)], first: ['waiting', 1, 'http'], lane: 'waits' },
  {
    after: '503 at the last attempt',
    origin: [status(503)],
    options: { attempts: 1 },
    first: ['dead-letter', 1, 'attempts'],
    lane: 'goes on',
  },
  { after: 'no response', origin: [networkError()], first: ['waiting', 0, 'network'], lane: 'waits' },
  {
    after: 'no response, at-most-once',
    origin: [networkError()],
    options: { delivery: 'at-most-once' },
    first: ['dead-letter', 1, 'unknown-outcome'],
    lane: 'goes on',
  },
  {
    after: '503, at-most-once',
    origin: [status(503)],
    options: { delivery: 'at-most-once' },
    first: ['waiting', 1, 'http'],
    lane: 'waits',
  },
  { after: '401', origin: [status(401)], first: ['waiting', 0, 'http'], lane: 'waits' },
  { after: '409', origin: [status(409)], first: ['waiting', 1, 'http'], lane: 'waits' },
  { after: '412', origin: [status(412)], first: ['dead-letter', 1, 'http'], lane: 'goes on' },
  {
    after: "409, onConflict: 'drop'",
    origin: [status(409)],
    options: { onConflict: () => 'drop' },
    first: ['delivered'],
    lane: 'goes on',
  },
  {
    after: "409, onConflict: 'again'",
    origin: [status(409)],
    options: { onConflict: () => 'again' },
    first: ['waiting', 1, 'http'],
    lane: 'waits',
  },
  {
    after: "409, onConflict: 'dead-letter'",
    origin: [status(409)],
    options: { onConflict: () => 'dead-letter' },
    first: ['dead-letter', 1, 'http'],
    lane: 'goes on',
  },
  {
    after: '409, onConflict: a request, which is a 503',
    origin: [status(409), status(503)],
    options: { onConflict: (_, __, request) => new Request(request, { body: 'first' }) },
    first: ['waiting', 2, 'http'],
    lane: 'waits',
  },
  {
    after: '2xx, isDelivered: false',
    origin: [ok()],
    options: { isDelivered: () => false },
    first: ['waiting', 0, 'not-accepted'],
    lane: 'waits',
  },
  {
    after: 'authorize throws',
    options: {
      authorize() {
        throw new Error('no token');
      },
    },
    first: ['waiting', 0, 'unknown'],
    lane: 'waits',
  },
];

/** A page that had two writes in a lane when its network came, and tried to send them. */
async function twoWrites(
  options?: OutboxOptions,
  call?: CallOutbox,
  origin: readonly Step[] = [],
): Promise<Page> {
  const here = page(options);
  await giveOffline(here, { body: 'first', id: 'first', ...call }, 'second');
  here.origin.replies(...origin);
  here.host.connectivity.set(true);
  await settle();
  return here;
}

/** In either state. */
const entries = async ({ outbox }: Page): Promise<OutboxEntry[]> =>
  (await Promise.all((['waiting', 'dead-letter'] as const).map((state) => outbox.entries({ state })))).flat();

describe('a waiting entry', () => {
  test.each(rows)('after $after: $first, and its lane $lane', async (row) => {
    const { origin = [], options, call, first, lane } = row;
    const here = await twoWrites(options, call, origin);
    const [state, attempts, code] = first;
    const entry = (await entries(here)).find(({ id }) => id === 'first');
    const isDelivered = here.emitted('delivered').some(({ id }) => id === 'first');
    expect(isDelivered ? 'delivered' : entry?.state).toBe(state);
    if (attempts !== undefined) expect(entry).toMatchObject({ attempts, reason: { code } });
    expect(sent(here).includes('second')).toBe(lane === 'goes on');
  });

  test('an entry that expires is a dead letter, and is not sent', async () => {
    const here = page();
    await giveOffline(here, { body: 'first', expiresAfter: '1m' });
    await here.clock.advance(60_001);
    here.host.connectivity.set(true);
    await settle();
    expect(await entries(here)).toMatchObject([{ state: 'dead-letter', reason: { code: 'expired' } }]);
    expect(sent(here)).toEqual([]);
  });

  test('an entry that the application removes is not sent, and its lane goes on', async () => {
    const here = page();
    await giveOffline(here, { body: 'first', id: 'first' }, 'second');
    await here.outbox.remove('first');
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['second']);
    expect(await entries(here)).toEqual([]);
  });
});

describe('a dead letter', () => {
  const refused = (call?: CallOutbox): Promise<Page> => twoWrites({}, call, [status(422)]);

  test('a replayed dead letter waits, with no attempts, and is sent', async () => {
    const here = await refused();
    here.host.connectivity.set(false);
    await here.outbox.replay('first');
    expect(await entries(here)).toMatchObject([{ state: 'waiting', attempts: 0 }]);
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['first', 'second', 'first']);
    expect(await entries(here)).toEqual([]);
  });

  test('a removed dead letter is gone', async () => {
    const here = await refused();
    await here.outbox.remove('first');
    await settle();
    expect(await entries(here)).toEqual([]);
    expect(sent(here)).toEqual(['first', 'second']);
  });

  test.each(['replay', 'remove'] as const)(
    '%s of one that stops its lane lets the lane go on',
    async (way) => {
      const here = await refused({ blockLaneOnFailure: true });
      expect(sent(here)).toEqual(['first']);
      await here.outbox[way]('first');
      await settle();
      expect(sent(here)).toEqual(way === 'replay' ? ['first', 'first', 'second'] : ['first', 'second']);
    },
  );
});
