import type { CallOutbox, OutboxOptions } from '../../src/policies/outbox/options.ts';
import type { Step } from '../../src/testing.ts';
import { type Deferred, deferred } from './deferred.ts';
import { type Page, POST, page, settle, URL_ } from './outbox-page.ts';

/** Gives a write to the outbox of a page. */
export const give = (
  { fetch }: Pick<Page, 'fetch'>,
  body: string,
  outbox: object = {},
  init: RequestInit = {},
): Promise<Response> => fetch(URL_, { ...POST, body, ...init, holdfast: { outbox } });

/** The requests at the origin, in order. */
export const sent = ({ origin }: Page): unknown[] => origin.seen.map(({ body }) => body);

/** A body, or a body with the options of its call. */
type Write = string | (CallOutbox & { readonly body: string });

/** Takes a page offline and gives it writes, which wait. */
export async function giveOffline(here: Pick<Page, 'fetch' | 'host'>, ...writes: Write[]): Promise<void> {
  here.host.connectivity.set(false);
  for (const write of writes) {
    const { body, ...outbox } = typeof write === 'string' ? { body: write } : write;
    await give(here, body, outbox);
  }
}

/** A page, online, with the writes of the page before it in its store. */
export async function pageWith(options: OutboxOptions, ...writes: Write[]): Promise<Page> {
  const before = page();
  await giveOffline(before, ...writes);
  await before.fetch.close();
  before.host.connectivity.set(true);
  return page(options, before.store, before);
}

/** Takes a page online. After `steps`, one request is in flight until the test resolves its response. */
export async function startSending(here: Page, ...steps: Step[]): Promise<Deferred<Response>> {
  const response = deferred<Response>(here);
  here.origin.replies(...steps, response.work);
  here.host.connectivity.set(true);
  await settle();
  return response;
}
