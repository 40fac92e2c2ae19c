/** What has been delivered is taken out while the next is sent: what must hold although the disk is slower than the origin. */
import { describe, expect, test } from 'vitest';
import type { OutboxOptions } from '../../src/policies/outbox/options.ts';
import { ok, status } from '../../src/testing/index.ts';
import { durableStore } from '../support/durable.ts';
import { type Page, POST, page, settle, URL_ } from '../support/outbox-page.ts';

/** A page, offline, whose store can be made to keep waiting whoever changes something, or the first of them. */
function slowPage(
  options: OutboxOptions = {},
): Page & { hold: (changes?: number) => void; letGo: () => void } {
  const store = durableStore();
  const made = page(options, store);
  const { change } = store;
  let held: Promise<void> | undefined;
  let waiting = 0;
  let most = Infinity;
  let letGo = (): void => {};
  store.change = async (...args) => {
    const [keys] = args as Parameters<typeof change>;
    // Where there are no locks the lane has to be had first.
    if (held && !keys[0]?.startsWith('lease') && waiting++ < most) await made.clock.busy(held);
    return change(...(args as Parameters<typeof change>)) as never;
  };
  made.host.online.set(false);
  return {
    ...made,
    hold(changes = Infinity) {
      most = changes;
      held = new Promise((resolve) => {
        letGo = resolve;
      });
    },
    letGo: () => letGo(),
  };
}

const give = async ({ fetch }: Page, bodies: readonly string[], outbox: object = {}): Promise<void> => {
  for (const body of bodies) await fetch(URL_, { ...POST, body, holdfast: { outbox } });
};

const bodies = (count: number): string[] => Array.from({ length: count }, (_, nth) => `${nth}`);

/** What the origin has seen, in order. */
const seen = ({ origin }: Page): Promise<string[]> =>
  Promise.all(origin.seen.map(({ body }) => new Response(body as BodyInit).text()));

/** Sends what may be sent before anything is taken out. */
async function sendAhead(slow: ReturnType<typeof slowPage>, held?: number): Promise<void> {
  slow.hold(held);
  slow.host.online.set(true);
  for (let turn = 0; turn < 10; turn++) await settle();
}

describe('while writes are being taken out', () => {
  test('the next are sent, though not without end', async () => {
    const slow = slowPage();
    await give(slow, bodies(80));
    await sendAhead(slow);
    expect(slow.origin.seen.length).toBeGreaterThan(8);
    expect(slow.origin.seen.length).toBeLessThan(40);
    slow.letGo();
    await slow.outbox.flush();
    expect(await seen(slow)).toEqual(bodies(80));
  });

  test.each<[string, OutboxOptions, object]>([
    ['whose order matters more', {}, { strict: true }],
    ['that must be sent once', {}, { unknownOutcome: 'dead' }],
    ['without a key', { idempotencyHeader: false }, {}],
  ])('nothing is sent behind one %s', async (_, options, own) => {
    const slow = slowPage(options);
    await give(slow, bodies(3), own);
    await sendAhead(slow);
    expect(slow.origin.seen.length).toBeLessThan(2);
    slow.letGo();
    await slow.outbox.flush();
    expect(await seen(slow)).toEqual(bodies(3));
  });

  test('one that is sent otherwise does not bring back those before it', async () => {
    const slow = slowPage({
      onConflict: (_, __, request) => new Request(request, { method: 'PUT', body: 'mended' }),
    });
    await give(slow, ['a', 'b', 'c']);
    slow.origin.replies(ok(), status(412), ok(), ok());
    await sendAhead(slow, 1);
    slow.letGo();
    await slow.outbox.flush();
    expect(await seen(slow)).toEqual(['a', 'b', 'mended', 'c']);
  });

  test('a flush has not ended', async () => {
    const slow = slowPage();
    await give(slow, ['a', 'b']);
    await sendAhead(slow);
    const report = slow.outbox.flush();
    await settle();
    slow.letGo();
    expect(await report).toEqual({ total: 2, delivered: 2, dead: 0, left: 0, held: 0 });
  });
});

test('where nothing can be taken out, nothing more is sent', async () => {
  const store = durableStore();
  const made = page({}, store);
  made.host.online.set(false);
  await give(made, bodies(80));
  const { change } = store;
  store.change = () => Promise.reject(new DOMException('it is gone', 'UnknownError'));
  made.host.online.set(true);
  await settle();
  expect(made.origin.seen.length).toBeLessThan(4);
  expect(made.told('store-failed')).toMatchObject([{ operation: 'drain' }]);
  store.change = change;
  await made.outbox.flush();
  const applied = new Set(made.origin.seen.map(({ headers }) => headers.get('idempotency-key')));
  expect(applied.size).toBe(80);
});

test('one that others are merged into while it is at hand keeps its place', async () => {
  const made = page();
  made.host.online.set(false);
  await give(made, ['a', 'b', 'c']);
  await give(made, ['cart 1'], { key: 'cart' });
  await give(made, ['d']);
  made.origin.replies(ok(), ok(), async () => {
    await give(made, ['cart 2'], { key: 'cart' });
    return ok();
  });
  made.host.online.set(true);
  await made.outbox.flush();
  expect(await seen(made)).toEqual(['a', 'b', 'c', 'cart 2', 'd']);
});
