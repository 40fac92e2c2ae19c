import { type Page, POST, URL_ } from './outbox-page.ts';

/** Gives a write to the outbox of a page. */
export const give = ({ fetch }: Pick<Page, 'fetch'>, body: string, outbox: object = {}): Promise<Response> =>
  fetch(URL_, { ...POST, body, holdfast: { outbox } });

/** The requests at the origin, in order. */
export const sent = ({ origin }: Page): unknown[] => origin.seen.map(({ body }) => body);
