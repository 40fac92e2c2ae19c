/** A Worker: one world for each request. */
import { type One, runOne } from './one.ts';

export default {
  fetch: async (request: Request): Promise<Response> =>
    Response.json(await runOne((await request.json()) as One)),
};
