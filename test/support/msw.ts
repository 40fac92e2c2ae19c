import { HttpResponse, http, type RequestHandler } from 'msw';
import type { ScriptedOrigin } from '../../src/testing.ts';

/** A scripted origin behind the platform's own fetch: everything that goes to `url` goes to the script. */
export const handlersOf = (origin: ScriptedOrigin, url: string): RequestHandler[] => [
  http.all(`${url}/*`, async ({ request }) => {
    try {
      return (await origin.fetch(request, { signal: request.signal })) as HttpResponse<never>;
    } catch {
      return HttpResponse.error();
    }
  }),
];
