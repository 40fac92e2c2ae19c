import { createResponse, responseMetadata } from '../core/body/response.ts';
import type { Fetch } from '../core/transport.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import type { Duration } from '../primitives/units.ts';
import { duration, integer, oneOf, readSettings, type SettingsTable } from '../primitives/validate.ts';

/** How the network is broken on purpose. */
export type Fault = 'refuse' | 'hang' | 'slow' | 'error-500' | 'error-429' | 'truncate' | 'lose-response';

export interface FaultRule {
  /** An origin such as `https://api.example.com`, or `'*'` for all. */
  readonly origin: string;
  readonly fault: Fault;
  /** For `slow`: how long before the request is sent. Default 3 s. */
  readonly delay?: Duration;
  /** For `error-429`: whole seconds in `Retry-After`. Default 5. */
  readonly retryAfter?: number;
}

type ReadRule = Required<FaultRule> & { readonly delay: number };

/** Receives each request as it is sent. @returns receives its response. */
export type WireListener = (request: Request) => ((response: Response) => void) | undefined;

/** A transport that can be broken. */
export interface Faults {
  /** Give it to the client: `createClient({ fetch: faults.fetch })`. Without a rule it is the platform's fetch. */
  readonly fetch: Fetch;
  /** Breaks an origin. A later rule for the same origin replaces the earlier one. @throws {ConfigurationError} */
  set(rule: FaultRule): void;
  /** Mends an origin, or all. */
  clear(origin?: string): void;
  rules(): readonly FaultRule[];
  /** Hears each request that is sent. @returns ends it. */
  watch(listener: WireListener): () => void;
}

/** What each fault does, for the panel and for errors. */
export const FAULTS: Readonly<Record<Fault, string>> = {
  refuse: 'The connection is refused. The origin sees nothing.',
  hang: 'The origin never responds, until a time limit or an abort.',
  slow: 'The request is sent only after a delay.',
  'error-500': 'The response is a 500 with problem details. The origin sees nothing.',
  'error-429': 'The response is a 429 with Retry-After. The origin sees nothing.',
  truncate: 'The response breaks off in the middle of its body.',
  'lose-response': 'The origin processes the request, but its response is lost.',
};

/**
 * Makes a transport with faults, for development: you see the app survive without a misbehaving server.
 *
 * @param send Sends what is not broken. Default: the platform's fetch, looked up at each request.
 *
 * @example
 * const broken = faults();
 * const fetch = createFetch({ fetch: broken.fetch });
 * broken.set({ origin: 'https://api.example.com', fault: 'slow', delay: '3s' });
 */
export function faults(send: Fetch = (request, init) => globalThis.fetch(request, init)): Faults {
  const rules = new Map<string, ReadRule>();
  const listeners = new Set<WireListener>();

  const fetch: Fetch = async (request, init) => {
    const watching = [...listeners].map((listener) => listener(request));
    const { origin } = new URL(request.url);
    const rule = rules.get(origin) ?? rules.get('*');
    const signal = init?.signal ?? request.signal;
    const response = await (rule ? broken(rule, signal, () => send(request, init)) : send(request, init));
    for (const arrived of watching) arrived?.(response);
    return response;
  };

  return {
    fetch,
    set(given) {
      const rule = readSettings('faults', tableOf(), given);
      rules.set(rule.origin, rule);
    },
    clear(origin) {
      if (origin === undefined) rules.clear();
      else rules.delete(originOf(origin));
    },
    rules: () => [...rules.values()],
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function originOf(given: unknown, option = 'faults.origin'): string {
  if (given === '*') return given;
  if (URL.canParse(`${given}`)) return new URL(`${given}`).origin;
  throw new ConfigurationError(option, given, `expected an origin such as 'https://api.example.com', or '*'`);
}

/** In a function: a call where the module is loaded would stay in every bundle. */
const tableOf = (): SettingsTable<ReadRule> => ({
  origin: ['*', originOf],
  fault: ['refuse', oneOf(...(Object.keys(FAULTS) as Fault[]))],
  delay: [3_000, duration],
  retryAfter: [5, integer()],
});

async function broken(
  { fault, delay, retryAfter }: ReadRule,
  signal: AbortSignal,
  send: () => Promise<Response>,
): Promise<Response> {
  switch (fault) {
    case 'refuse':
      throw refused();
    case 'hang':
      return aborted(signal);
    case 'slow':
      await pause(delay, signal);
      return send();
    case 'error-500':
      return problem(500, 'Broken on purpose');
    case 'error-429':
      return problem(429, 'Too many requests, on purpose', { 'retry-after': String(retryAfter) });
    case 'truncate':
      return truncated(await send());
    case 'lose-response': {
      const response = await send();
      await response.body?.cancel();
      throw refused();
    }
  }
}

/** As browsers reject when there is no connection. */
const refused = (): TypeError => new TypeError('Failed to fetch');

const aborted = (signal: AbortSignal): Promise<never> => pause(Infinity, signal) as Promise<never>;

/** @throws the reason of the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let end = (): void => {};
  await new Promise<void>((done, reject) => {
    const timer = Number.isFinite(ms) ? setTimeout(done, ms) : undefined;
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort);
    end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
  }).finally(() => end());
}

function problem(status: number, title: string, headers: Record<string, string> = {}): Response {
  const type = { 'content-type': 'application/problem+json' };
  return new Response(JSON.stringify({ status, title }), { status, headers: { ...type, ...headers } });
}

/** Half of the first chunk arrives, then the connection breaks. */
function truncated(response: Response): Response {
  if (!response.body) return response;
  const reader = response.body.getReader();
  let isFirst = true;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value } = isFirst ? await reader.read() : {};
      isFirst = false;
      if (value && value.length > 1) {
        controller.enqueue(value.subarray(0, value.length >> 1));
        return;
      }
      controller.error(refused());
      await reader.cancel();
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return createResponse(body, responseMetadata(response), response.headers);
}
