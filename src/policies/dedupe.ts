import { createResponse, responseMetadata } from '../core/body/response.ts';
import { readsFrom, watchBody } from '../core/body/watched-response.ts';
import { type Call, type CallOptions, named, PUBLIC } from '../core/contract.ts';
import { DetachableRun } from '../core/run/detachable-run.ts';
import { type Run, type Stage, stage } from '../core/stage.ts';
import { usersOf } from '../core/user.ts';
import { carriesCredentials } from '../http/credentials.ts';
import { ConfigurationError, cloneError } from '../primitives/failure.ts';
import { list, memoized, ofType, type Rule, readSettings } from '../primitives/validate.ts';

export interface DedupeOptions {
  /**
   * Headers that do not make two reads different, such as a request id; those of credentials always do. Added to the
   * default: `traceparent` and `tracestate`.
   */
  readonly ignoreHeaders?: readonly string[];
}

/** One call on the wire, and the callers that wait for it. */
interface Flight {
  readonly key: string;
  readonly origin: string;
  readonly leader: Run;
  readonly level: number;
  /** The caller of the leader, which has its response without a copy if it is alone. */
  readonly first: Caller;
  readonly callers: Set<Caller>;
}

interface Caller {
  readonly call: Call;
  take(response: Response): void;
  reject(error: unknown): void;
}

/** A read that begins after this must not join a read that began before it. */
interface Write {
  readonly outdates: string;
}

/** Fields of a request on which its response may depend; a runtime without a field gives `undefined`. */
const KEY_FIELDS = [
  'method',
  'credentials',
  'cache',
  'mode',
  'redirect',
  'referrer',
  'referrerPolicy',
  'integrity',
] as const;

const SHARED = ['GET', 'HEAD'];

const SAFE = [...SHARED, 'OPTIONS', 'TRACE', 'QUERY'];

const ignorable: Rule<string> = (value, option) => {
  const name = ofType<string>('string')(value, option).toLowerCase();
  if (carriesCredentials(name))
    throw new ConfigurationError(option, value, 'expected no header of credentials, which name the user');
  return name;
};

/**
 * Makes identical reads that are under way at the same time one call: GET and HEAD of the same partition, URL, headers
 * (all of them), credentials and cache mode, and options of the call. A read joins until the headers of the response have
 * come. One that has its own `init` for the runtime (`cf`, `dispatcher`, …) goes alone, and so does one that comes after
 * a write to its origin: the response may be older than the write. So does a read whose credentials may be another user's than those
 * of the call it would join: `auth` asks a function for them, and no partition names the user.
 *
 * Each caller has its own response, its own abort and its own error. The call on the wire belongs to none of them: it is
 * aborted when the last has gone, or has cancelled its body. The part that one caller has read is kept in memory until the
 * slowest has read it, too (as `Response.clone()` does): cancel a body that you do not read.
 *
 * Does nothing if I/O belongs to one request (Workers).
 *
 * @example
 * const fetch = createFetch({ dedupe: dedupe() });
 * await Promise.all([fetch(url), fetch(url)]); // one request
 */
export function dedupe(options: DedupeOptions = {}): Stage {
  const { ignoreHeaders } = readSettings('dedupe', { ignoreHeaders: [[], list(ignorable)] }, options);
  return named('dedupe', singleFlight(ignoreHeaders), {
    switchOnly: true,
    brings: { Run: DetachableRun, users: usersOf },
  });
}

/** Makes identical reads one call; see `dedupe`. */
export function singleFlight(ignoreHeaders: readonly string[] = []): Stage {
  const ignored = new Set(['traceparent', 'tracestate', ...ignoreHeaders]);
  const flights = new Map<string, Flight>();
  /** The key of a GET with a URL and nothing more: the same for all. */
  let bare: string | undefined;
  const optionsKey = memoized((of) => keyOfOptions(of as CallOptions));

  const keyOf = ({ outgoing, url, call, attempt, pipeline }: Run): string => {
    if (!outgoing.isMade) bare ??= keyOfRequest(new Request(url), ignored);
    const rest = outgoing.isMade ? keyOfRequest(outgoing.request, ignored) : bare;
    // Another pipeline may send other credentials, and ends by itself. The length: a partition may contain anything, and must not
    // be taken for what follows it.
    return `${identityOf(pipeline)} ${call.partition.length} ${call.partition} ${url} ${attempt} ${optionsKey(call.options)}${rest}`;
  };

  const finish = (flight: Flight): void => {
    if (flights.get(flight.key) === flight) flights.delete(flight.key);
  };

  const outdate = (origin: string): void => {
    for (const flight of flights.values()) if (flight.origin === origin) finish(flight);
  };

  const lead = (run: Run, key: string): Flight => {
    const { call, origin, level } = run;
    const take = (response: Response): void => {
      run.response = response;
    };
    const first: Caller = { call, take, reject() {} };
    const callers = new Set([first]);
    const flight: Flight = { key, origin, leader: run, level, first, callers };
    flights.set(key, flight);
    // Without the first caller's deadline and log: it may leave, and the others go on.
    run.deadline = Infinity;
    run.call = {
      ...(call.deadline === undefined ? call : withoutDeadline(call)),
      attempts: [],
      // The request is sent if at least one of the callers may still send it.
      beforeSend() {
        for (const { call } of callers) if (!call.beforeSend) return;
        try {
          for (const { call } of callers) call.beforeSend?.();
        } catch (error) {
          finish(flight);
          throw error;
        }
      },
      waitUntil(work) {
        for (const { call } of callers.size > 0 ? callers : [first]) call.waitUntil(work);
      },
    };
    return flight;
  };

  const join = (run: Run, flight: Flight): Promise<undefined> => {
    const { call } = run;
    const { id: callId, origin, emit } = call;
    const { callers, leader } = flight;
    let leave = (_: unknown): void => {};
    const response = new Promise<undefined>((resolve, reject) => {
      const take = (copy: Response): void => {
        run.response = copy;
        resolve(undefined);
      };
      const caller = { call, take, reject };
      callers.add(caller);
      leave = (reason) => {
        callers.delete(caller);
        if (callers.size > 0) return;
        finish(flight);
        flight.leader.abandon(reason, flight.level);
      };
    });
    // After it has joined: a listener may abort the leader, which goes on only if others wait.
    emit?.({ type: 'deduplicated', callId, origin, leader: leader.call.id });
    return run.wait(Infinity, response, leave);
  };

  return stage<Flight | Write | undefined>({
    attach(pipeline) {
      // The outbox sends inside `dedupe`, and another tab's elsewhere.
      const others = pipeline.outdates;
      pipeline.outdates = (origin) => {
        others?.(origin);
        outdate(origin);
      };
    },
    enter(run) {
      const { method } = run;
      if (!SAFE.includes(method)) return { outdates: run.origin };
      if (!SHARED.includes(method) || !isShareable(run)) return;
      const key = keyOf(run);
      const flight = flights.get(key);
      return flight ? join(run, flight) : lead(run, key);
    },
    leave(run, memory) {
      if (!memory) return;
      if ('outdates' in memory) {
        outdate(memory.outdates);
        return;
      }
      const { callers, first } = memory;
      const { attempts } = run.call;
      finish(memory);
      for (const { call } of callers) call.attempts.push(...attempts);
      if (callers.size === 1 && callers.has(first)) return;
      if (run.response) return async () => share(run, callers);
      for (const { reject } of callers) reject(cloneError(run.error));
    },
    outlivesCaller(_, memory) {
      if (!memory || 'outdates' in memory) return false;
      const { callers, first } = memory;
      callers.delete(first);
      if (callers.size === 0) finish(memory);
      return callers.size > 0;
    },
  });
}

function keyOfRequest(request: Request, ignored: ReadonlySet<string>): string {
  let key = '';
  for (const name of KEY_FIELDS) key += `\n${request[name]}`;
  for (const [name, value] of request.headers) if (!ignored.has(name)) key += `\n${name}:${value}`;
  return key;
}

function isShareable({ call, pipeline }: Run): boolean {
  if (!call.host.canShareIO || !isEmpty(call.init) || call.transport || call.isSignedOut) return false;
  const namesUser = call.partition !== '' && call.partition !== PUBLIC;
  return namesUser || !pipeline.credentials(call.options).some(({ vary }) => vary);
}

function withoutDeadline({ deadline: _, ...rest }: Call): Call {
  return rest;
}

/** Gives each caller a response of its own. */
function share(run: Run, callers: ReadonlySet<Caller>): undefined {
  try {
    const copies = fanOut(run.response as Response, callers.size);
    run.response = undefined;
    for (const { take } of callers) take(copies.pop() as Response);
  } catch (error) {
    for (const { reject } of callers) reject(error);
    throw error;
  }
}

/** Clones of a response whose bodies are independent: when one breaks, the others go on. */
function fanOut(response: Response, times: number): Response[] {
  const body = watchBody(response, {});
  if (times === 1) return [response];
  const copies = [response];
  while (copies.length < times) copies.push(response.clone());
  // Without a watched body, clones end together, with the wire.
  if (!body) return copies;
  return copies.map((copy) =>
    readsFrom(createResponse(copy.body, responseMetadata(copy), copy.headers), copy),
  );
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

/** Objects without a text of their own are distinguished by identity. */
const identities = new WeakMap<object, string>();
let known = 0;

function identityOf(thing: object): string {
  let identity = identities.get(thing);
  if (identity === undefined) {
    identity = `#${++known}`;
    identities.set(thing, identity);
  }
  return identity;
}

/** A call with other retries, limits or fallbacks is another call. */
function keyOfOptions({ waitUntil: _, ...options }: CallOptions): string {
  if (isEmpty(options)) return '';
  try {
    return JSON.stringify(options, (_, value) => {
      if (typeof value !== 'object' || value === null)
        return typeof value === 'function' ? identityOf(value) : value;
      return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
        ? value
        : identityOf(value);
    });
  } catch {
    return identityOf(options);
  }
}
