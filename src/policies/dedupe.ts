import { type Aborter, aborter, follow } from '../core/abort.ts';
import { dropBody, readsFrom, watchBody } from '../core/body.ts';
import { list, memoized, type Rule, readOptions, typed } from '../core/check.ts';
import { type Call, type CallOptions, named, type Policy, PUBLIC, type Wrapper } from '../core/contract.ts';
import { addFacts, ConfigurationError, isFailure } from '../core/errors.ts';
import { facts, rebuilt } from '../core/rebuild.ts';
import { carriesCredentials } from '../http/credentials.ts';

export interface DedupeOptions {
  /**
   * Headers that do not make two reads different, such as a request id; those of credentials always do. Added to the
   * default: `traceparent` and `tracestate`.
   */
  readonly ignoreHeaders?: readonly string[];
}

/** One call on the wire, and those who wait for it. */
interface Flight {
  readonly leader: string;
  readonly origin: string;
  readonly waiting: Set<Waiting>;
  readonly own: Aborter;
}

interface Waiting {
  readonly call: Call;
  resolve(response: Response): void;
  reject(error: unknown): void;
}

/** Names of a request on which its answer may depend; runtimes without one say `undefined`. */
const TELLING = [
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
  const name = typed<string>('string')(value, option).toLowerCase();
  if (carriesCredentials(name))
    throw new ConfigurationError(
      option,
      value,
      'expected no header of credentials: they say whose answer it is',
    );
  return name;
};

/**
 * Makes identical reads that are under way at the same time one call: GET and HEAD of the same partition, URL, headers
 * (all of them), credentials and cache mode, and options of the call. A read joins until the headers of the answer have
 * come. One that has its own `init` for the runtime (`cf`, `dispatcher`, …) goes alone, and so does one that comes after
 * a write to its origin: the answer may be from before it. So does a read whose credentials may be another user's than those
 * of the call it would join: `auth` asks a function for them, and no partition names the user.
 *
 * Each caller has its own response, its own abort and its own error. The call on the wire belongs to none of them: it is
 * aborted when the last has gone, or has cancelled its body. What one caller has read is kept in memory until the
 * slowest has read it, too (as `Response.clone()` does): who does not want a body cancels it.
 *
 * Does nothing where I/O belongs to one request (Workers).
 */
export function dedupe(options: DedupeOptions = {}): Wrapper {
  const { ignoreHeaders } = readOptions<{ ignoreHeaders: string[] }>(
    'dedupe',
    options,
    { ignoreHeaders: list(ignorable) },
    { ignoreHeaders: [] },
  );
  const ignored = new Set(['traceparent', 'tracestate', ...ignoreHeaders]);
  const flights = new Map<string, Flight>();
  const optionsKey = memoized((of) => keyOfOptions(of as CallOptions));

  const keyOf = (request: Request, call: Call): string => {
    // The length: a partition may contain anything, and must not be taken for what follows it.
    let key = `${call.partition.length} ${call.partition} ${request.url} ${call.attempt} ${optionsKey(call.options)}`;
    for (const name of TELLING) key += `\n${request[name]}`;
    for (const [name, value] of request.headers) if (!ignored.has(name)) key += `\n${name}:${value}`;
    return key;
  };

  const land = (key: string, flight: Flight): void => {
    if (flights.get(key) === flight) flights.delete(key);
  };

  return named(
    'dedupe',
    (next, home) => (request, call) => {
      const { method } = request;
      if (!SAFE.includes(method)) {
        // After a write an answer that was already on its way may be from before it.
        const outdate = (): void => {
          for (const [key, { origin }] of flights) if (origin === call.origin) flights.delete(key);
        };
        const answer = next(request, call);
        answer.then(outdate, outdate);
        return answer;
      }
      if (
        !SHARED.includes(method) ||
        !call.host.sharesIO ||
        !isEmpty(call.init) ||
        call.transport ||
        call.isSignedOut
      )
        return next(request, call);
      const namesNoUser = call.partition === '' || call.partition === PUBLIC;
      if (namesNoUser && home.credentials(call.options).some(({ vary }) => vary)) return next(request, call);
      if (call.signal.aborted) return Promise.reject(call.signal.reason);

      const key = keyOf(request, call);
      const found = flights.get(key);
      const flight = found ?? { leader: call.id, origin: call.origin, waiting: new Set(), own: aborter() };
      const { own, waiting } = flight;
      const answer = new Promise<Response>((resolve, reject) => {
        const leave = (): void => {
          unfollow();
          waiting.delete(caller);
        };
        const caller: Waiting = {
          call,
          resolve(response) {
            leave();
            resolve(response);
          },
          reject(error) {
            leave();
            reject(error);
          },
        };
        waiting.add(caller);
        const unfollow = follow(call.signal, (reason) => {
          caller.reject(reason);
          if (waiting.size > 0) return;
          land(key, flight);
          own.abort(reason);
        });
      });
      if (found) {
        const { id: callId, origin, emit } = call;
        emit?.({ type: 'deduplicated', callId, origin, leader: found.leader });
        return answer;
      }

      // Not on the first caller's signal or deadline, and not in its log: it may leave, and the others go on.
      const { deadline: _, ...rest } = call;
      const shared: Call = {
        ...rest,
        attempts: [],
        signal: own.signal,
        // What one of them may not send any more is sent all the same where another may.
        guard() {
          for (const { call } of waiting) if (!call.guard) return;
          try {
            for (const { call } of waiting) call.guard?.();
          } catch (error) {
            land(key, flight);
            throw error;
          }
        },
        waitUntil(work) {
          if (waiting.size === 0) call.waitUntil(work);
          for (const caller of waiting) caller.call.waitUntil(work);
        },
      };
      flights.set(key, flight);
      next(request, shared).then(
        (response) => {
          land(key, flight);
          const callers = told(flight, shared);
          try {
            const copies = split(response, callers.length, own);
            callers.forEach((caller, at) => {
              caller.resolve(copies[at] as Response);
            });
          } catch (error) {
            for (const caller of callers) caller.reject(error);
          }
        },
        (error) => {
          land(key, flight);
          const errors = told(flight, shared).map(
            (caller, at) => [caller, at ? another(error) : error] as const,
          );
          for (const [caller, own] of errors) caller.reject(own);
        },
      );
      return answer;
    },
    { switchOnly: true },
  );
}

/** Everyone who still waits, with the log of what was done for them. */
function told({ waiting }: Flight, { attempts }: Call): Waiting[] {
  const callers = [...waiting];
  for (const { call } of callers) call.attempts.push(...attempts);
  return callers;
}

/** So many responses of one, whose bodies know nothing of each other: when one is broken the others go on. */
function split(response: Response, times: number, own: Aborter): Response[] {
  if (times === 0) dropBody(response);
  const body = watchBody(response, {
    settled(how, error) {
      // Firefox goes on receiving a body whose stream was given up; its request it lets go of.
      if (how === 'broken' || how === 'cancelled') own.abort(error);
    },
  });
  if (times <= 1) return [response];
  const copies = [response];
  while (copies.length < times) copies.push(response.clone());
  // Clones share their fate, which is that of the wire.
  if (!body) return copies;
  return copies.map((copy) => readsFrom(rebuilt(copy.body, facts(copy), copy.headers), copy));
}

/** The pipeline writes the facts of a call into an error of ours; each caller needs one of its own. */
function another(error: unknown): unknown {
  if (!isFailure(error)) return error;
  const copy: Error = Object.setPrototypeOf(new Error(error.message), Object.getPrototypeOf(error));
  const { stack: _, request, ...own } = Object.getOwnPropertyDescriptors(error);
  Object.defineProperties(copy, own);
  if (request) addFacts(copy, { request: error.request });
  return copy;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

/** Things that have no text of their own are told apart by their identity. */
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

/** Who asks for other retries, limits or fallbacks asks for another call. */
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
