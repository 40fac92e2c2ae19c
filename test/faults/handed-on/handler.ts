import { type Subject, subjects } from '../../contracts/handed-on.ts';

/**
 * A server's handler that returns each response unread: `/subject/path` is `path` of the upstream,
 * by that subject's fetch.
 */
export function handler(upstream: string) {
  const { fetches, state } = subjects(upstream);
  return async (request: Request, waitUntil?: (work: Promise<unknown>) => void): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname === '/state') return Response.json({ ...(await state()), memory: memory() });
    const [, subject = '', path] = pathname.split('/');
    const { method } = request;
    const upgrade = request.headers.get('upgrade');
    return fetches[decodeURIComponent(subject) as Subject](`${upstream}/${path}`, {
      method,
      ...(upgrade && { headers: { upgrade } }),
      holdfast: waitUntil ? { waitUntil } : {},
    });
  };
}

interface Process {
  readonly memoryUsage?: () => { readonly rss: number };
}

/** Of the process, in bytes; a Worker does not know it. */
function memory(): number | undefined {
  const { Deno, process } = globalThis as { Deno?: Process; process?: Process };
  return (Deno ?? process)?.memoryUsage?.().rss;
}
