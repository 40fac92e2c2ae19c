/** The element itself, in a page of its own; what a user does with it over the whole is in `panels.e2e.ts`. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import type { DevtoolsParts } from '../../src/devtools/source.ts';
import { devtools } from '../../src/devtools.ts';
import type { Outbox } from '../../src/policies/outbox/outbox.ts';
import { status } from '../../src/testing.ts';
import { deferred } from '../support/deferred.ts';
import { type Page, page, URL_ } from '../support/outbox-page.ts';

const root = (): ShadowRoot => document.querySelector('holdfast-devtools')?.shadowRoot as ShadowRoot;

const isShown = (element: Element): boolean => element.getClientRects().length > 0;

/** The page shows what changes with its next frame, and the store takes a moment. */
async function shown<T>(find: () => T | undefined | false): Promise<T> {
  for (let turn = 0; turn < 200; turn++) {
    const found = find();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`not shown: ${find}; there is ${root().textContent}`);
}

const control = (role: string, name: string): Promise<HTMLElement> =>
  shown(() =>
    [...root().querySelectorAll<HTMLElement>(role)].find(
      (element) => isShown(element) && (element.textContent ?? '').includes(name),
    ),
  );

const click = async (role: string, name: string): Promise<void> => (await control(role, name)).click();

const body = (): HTMLTextAreaElement =>
  root().querySelector('textarea[aria-label=Body]') as HTMLTextAreaElement;

/** The devtools of a page with these dead letters, at the list of dead letters. */
async function withDeadLetters(bodies: Record<string, string | Uint8Array<ArrayBuffer>>): Promise<Page> {
  const made = page();
  made.origin.otherwise(() => status(422));
  for (const [id, body] of Object.entries(bodies))
    await made.fetch(`${URL_}/${id}`, { method: 'POST', body, holdfast: { outbox: { id } } });
  await made.outbox.flush();
  return made;
}

async function openDeadLetters(client: Page, parts: Partial<DevtoolsParts> = {}): Promise<void> {
  localStorage.setItem('holdfast-devtools', JSON.stringify({ isOpen: true, tab: 'Outbox' }));
  onTestFinished(() => localStorage.removeItem('holdfast-devtools'));
  onTestFinished(devtools(client.fetch, { outbox: client.outbox, ...parts }));
  const state = root().querySelector('select[aria-label=Entries]') as HTMLSelectElement;
  state.value = 'dead-letter';
  state.dispatchEvent(new Event('change'));
}

const bytesOf = async (outbox: Outbox, id: string): Promise<number[]> => [
  ...new Uint8Array((await (await outbox.request(id))?.arrayBuffer()) ?? []),
];

describe.skipIf(typeof document === 'undefined')('the element of the devtools', () => {
  test('the element leaves the page with its last client, and one that the page has written stays', () => {
    const [one, other] = [createFetch(), createFetch()];
    const [endOne, endOther] = [devtools(one), devtools(other)];
    endOne();
    expect(document.querySelector('holdfast-devtools')).not.toBeNull();
    endOther();
    expect(document.querySelector('holdfast-devtools')).toBeNull();
    document.body.append(document.createElement('holdfast-devtools'));
    devtools(one)();
    expect(document.querySelector('holdfast-devtools')).not.toBeNull();
    document.querySelector('holdfast-devtools')?.remove();
  });

  test('Edit opens no body that a text field would change', async () => {
    const binary = new Uint8Array([0, 255, 13, 10, 1]);
    const client = await withDeadLetters({ binary, windows: 'a\r\nb' });
    await openDeadLetters(client);
    for (const id of ['binary', 'windows']) {
      await click('[role=option]', id);
      await click('button', 'Edit');
      await shown(() => root().textContent?.includes('a text field would change this body'));
      expect(isShown(body())).toBe(false);
    }
    expect(await bytesOf(client.outbox, 'binary')).toEqual([...binary]);
  });

  test('Edit keeps the byte order mark of a body', async () => {
    const client = await withDeadLetters({ csv: '\ufeffname;price' });
    await openDeadLetters(client);
    await click('[role=option]', 'csv');
    await click('button', 'Edit');
    await shown(() => isShown(body()));
    expect(body().value).toBe('\ufeffname;price');
  });

  test('Edit shows no body of an entry that was left before the body was read', async () => {
    const client = await withDeadLetters({ first: 'of the first', second: 'of the second' });
    const reading = deferred<void>(client);
    const request: Outbox['request'] = async (id) => {
      if (id === 'first') await reading.work();
      return client.outbox.request(id);
    };
    const outbox = Object.assign(Object.create(client.outbox), { request }) as Outbox;
    await openDeadLetters(client, { outbox });
    await click('[role=option]', 'first');
    await click('button', 'Edit');
    await click('[role=option]', 'second');
    reading.resolve();
    await shown(() => root().textContent?.includes('Edit: done'));
    expect(isShown(body())).toBe(false);
  });
});
