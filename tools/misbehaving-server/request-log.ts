import type { IncomingHttpHeaders, ServerResponse } from 'node:http';

export interface Visit {
  readonly id: number;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Whether its connection has carried another request before. */
  readonly reused: boolean;
  readonly at: number;
  /** The status that left, if one did. */
  status: number | null;
  /** `null` while it is in flight; the middle three were the server's doing. */
  ended: 'answered' | 'reset' | 'cut' | 'vanished' | 'client-aborted' | null;
  clientAborted: boolean;
  /** How long it took to end. */
  ms: number | null;
}

const remembered = 2000;

export type RequestLog = ReturnType<typeof createRequestLog>;

/** The latest requests and their outcomes. Preflights are kept apart, so that counts are counts of attempts. */
export function createRequestLog(print?: (line: string) => void) {
  let requests: Visit[] = [];
  let preflights: Visit[] = [];
  let counts: Record<string, number> = {};
  let lastId = 0;
  const inFlight = new Set<Visit>();

  return {
    arrive(
      asked: Pick<Visit, 'method' | 'path' | 'url' | 'headers' | 'reused'>,
      response: ServerResponse,
      preflight: boolean,
    ): Visit {
      const { method, path, url, headers, reused } = asked;
      const outcome = { status: null, ended: null, clientAborted: false, ms: null };
      const visit: Visit = {
        id: ++lastId,
        method,
        path,
        url,
        headers,
        reused,
        at: Date.now(),
        ...outcome,
      };
      if (preflight) {
        preflights = [...preflights.slice(1 - remembered), visit];
      } else {
        requests.push(visit);
        if (requests.length > remembered) requests.shift();
        counts[path] = (counts[path] ?? 0) + 1;
      }
      inFlight.add(visit);
      response.once('close', () => {
        inFlight.delete(visit);
        visit.status = response.headersSent ? response.statusCode : null;
        visit.clientAborted = visit.ended === null && !response.writableFinished;
        visit.ended ??= response.writableFinished ? 'answered' : 'client-aborted';
        visit.ms = Date.now() - visit.at;
        print?.(`${method} ${url} ${visit.status ?? '-'} ${visit.ended} ${visit.ms} ms`);
      });
      return visit;
    },

    /** Everything in flight is about to lose its connection, and it is not the clients' doing. */
    vanishing(): void {
      for (const visit of inFlight) visit.ended ??= 'vanished';
    },

    report(pathPrefix = '') {
      const here = ({ path }: Visit) => path.startsWith(pathPrefix);
      return {
        requests: requests.filter(here),
        preflights: preflights.filter(here),
        counts: Object.fromEntries(Object.entries(counts).filter(([path]) => path.startsWith(pathPrefix))),
        inFlight: [...inFlight].filter(here).length,
      };
    },

    clear(): void {
      requests = [];
      preflights = [];
      counts = {};
    },
  };
}
