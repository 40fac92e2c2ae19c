import { dropBody } from '../core/body/body.ts';
import {
  asResponse,
  createResponse,
  type ResponseMetadata,
  responseMetadata,
} from '../core/body/response.ts';
import { named, type Policy } from '../core/contract.ts';
import { ClosedError } from '../core/errors.ts';
import { allowsFallback, SOURCE_HEADER } from '../core/outcome.ts';
import { type Run, stage } from '../core/stage.ts';
import { DeadlineError } from '../primitives/clock.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import { methods, perCall, type Rule, readSettings, type SettingsTable } from '../primitives/validate.ts';

/** Facts for a fallback function, besides the error. */
export interface FallbackContext {
  readonly request: Request;
  readonly callId: string;
  /** The final response (5xx or 429), if there was one; the function may read it. The error is `undefined` then. */
  readonly response?: Response;
}

/** Returns the response or its value; `undefined`: the failure stands. */
export type FallbackFunction = (error: unknown, context: FallbackContext) => unknown;

/** A response, a function of the final failure, or a value that JSON can hold. */
export type FallbackValue = Response | FallbackFunction | object | string | number | boolean | null;

export interface FallbackOptions {
  /** Methods with a fallback; a write must not look as if it was done. Default GET and HEAD. */
  readonly methods?: readonly string[];
}

/** The options of one call. */
export interface CallFallback extends FallbackOptions {
  /** The fallback of this call. */
  readonly with?: FallbackValue;
}

/** A function of the application's own may never settle. */
const MAX_WAIT = 10_000;

/** Makes a response, or `undefined`. */
type Respond = (
  error: unknown,
  context: FallbackContext,
  copies: Response[],
) => Promise<Response | undefined>;

interface Plan {
  readonly with: Respond;
  readonly methods: readonly string[];
}

/**
 * Responds with a value of the application in place of the final failure, which is an error or a response with
 * 429 or 5xx. `sourceOf(response)` is `'fallback'`; a value is a 200 with JSON.
 *
 * The caller's abort, `ConfigurationError` and `ClosedError` stand. So does the failure if a function returns
 * `undefined`, fails, or takes longer than 10 s; the event `fallback-failed` has the function's error then.
 *
 * @param value For all calls; a call may give its own: `fallback: { with: … }`.
 *
 * @example
 * const fetch = createFetch({ fallback: fallback(() => Response.json({ items: [] })) });
 */
export function fallback(value: FallbackValue, options: FallbackOptions = {}): Policy {
  const standard: Plan = {
    ...readSettings('fallback', { methods: [['GET', 'HEAD'], methods] }, options),
    with: responder(value, 'fallback'),
  };
  const table: SettingsTable<Plan> = {
    methods: [standard.methods, methods],
    with: [standard.with, responder],
  };
  const planOf = perCall((...layers) => readSettings('fallback', table, ...layers), {});

  const policy = stage<Plan | undefined>({
    enter({ method, call: { options } }) {
      const plan = planOf(options.fallback);
      return plan.methods.includes(method) ? plan : undefined;
    },
    leave(run, plan) {
      const { response, error, call } = run;
      if (!plan || error instanceof ClosedError || error instanceof ConfigurationError) return;
      const isFailed = !response || response.status >= 500 || response.status === 429;
      if (allowsFallback(call, response ?? error, isFailed)) return () => respond(plan.with, run);
    },
  });
  return named('fallback', policy, { read: planOf });
}

const responder: Rule<Respond> = (value, option) => {
  if (typeof value === 'function') return ofFunction(value as FallbackFunction);
  const response = asResponse(value, '');
  if (response) return ofResponse(response, option);
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
    // JSON makes the same of a promise, a Map or a Blob as of an empty object.
    if (json === '{}' && `${value}` !== '[object Object]') json = undefined;
  } catch {
    // A circle, or a BigInt.
  }
  if (json === undefined)
    throw new ConfigurationError(
      option,
      value,
      'expected a Response, a function, or a value that JSON can hold',
    );
  return ofJson(json);
};

async function respond(create: Respond, run: Run): Promise<undefined> {
  const { request, origin, response, error } = run;
  const { id: callId, emit } = run.call;
  const copies: Response[] = [];
  const work = create(error, { request, callId, ...(response && { response }) }, copies);
  let isOver = false;
  try {
    const given = await run.wait(MAX_WAIT, work, () => {
      isOver = true;
    });
    if (!given) return;
    dropBody(response);
    run.response = given;
    emit?.({ type: 'fallback', callId, origin, cause: response ? response.status : error });
  } catch (failed) {
    // A response that comes too late is dropped.
    work.then(dropBody, () => {});
    for (const copy of copies) dropBody(copy);
    const hasCallEnded = isOver && !(failed instanceof DeadlineError);
    if (!hasCallEnded) emit?.({ type: 'fallback-failed', callId, origin, error: failed });
  }
}

const ofFunction =
  (create: FallbackFunction): Respond =>
  async (error, { response, ...context }, copies) => {
    // A clone, so that the failed response can still be returned after the function has read it.
    const copy = response?.clone();
    if (copy) copies.push(copy);
    let made: Response | undefined;
    try {
      const given = await create(error, copy ? { ...context, response: copy } : context);
      if (given === undefined) return undefined;
      made = asResponse(given, context.request.url);
      if (!made) return await responder(given, 'fallback')(error, context, copies);
      if (context.request.method === 'HEAD') dropBody(made);
      return withSource(made.body, responseMetadata(made), made.headers, context);
    } finally {
      if (!made || made.body !== copy?.body) dropBody(copy);
    }
  };

function ofResponse(response: Response, option: string): Respond {
  if (response.bodyUsed || response.status === 0)
    throw new ConfigurationError(option, response, 'expected a Response that can be read');
  let body: ArrayBuffer | null | undefined = response.body === null ? null : undefined;
  return async (_, context) => {
    // Read once: a clone for each use would make a chain of streams, each with its own buffer.
    if (body === undefined) body = await response.clone().arrayBuffer();
    return withSource(body, responseMetadata(response), response.headers, context);
  };
}

const ofJson =
  (json: string): Respond =>
  async (_, context) => {
    const { url } = context.request;
    const given: ResponseMetadata = { status: 200, statusText: '', url, type: 'default', redirected: false };
    return withSource(json, given, { 'content-type': 'application/json' }, context);
  };

function withSource(
  body: BodyInit | null,
  given: ResponseMetadata,
  headers: HeadersInit,
  { request }: FallbackContext,
): Response {
  const own = new Headers(headers);
  own.set(SOURCE_HEADER, 'fallback');
  return createResponse(request.method === 'HEAD' ? null : body, given, own);
}
