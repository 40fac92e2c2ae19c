import { dropBody } from '../core/body.ts';
import { list, memoized, ofType, type Rule, readOptions } from '../core/check.ts';
import { DeadlineError } from '../core/clock.ts';
import { named, type Policy } from '../core/contract.ts';
import { ClosedError, ConfigurationError } from '../core/errors.ts';
import { allowsFallback } from '../core/instead.ts';
import { createResponse, type ResponseMetadata, responseMetadata } from '../core/rebuild.ts';
import { SOURCE_HEADER } from '../core/source.ts';
import { type Run, stage } from '../core/stage.ts';

/** What a function of the final failure is told besides the error. */
export interface FallbackContext {
  readonly request: Request;
  readonly callId: string;
  /** The final answer, where there was one (5xx or 429), to be read if need be; the error is `undefined` then. */
  readonly response?: Response;
}

/** Gives the answer, or `undefined` for none: then the failure stands. */
export type FallbackFunction = (error: unknown, context: FallbackContext) => unknown;

/** A response, a function of the final failure, or a value that JSON can hold. */
export type FallbackAnswer = Response | FallbackFunction | object | string | number | boolean | null;

export interface FallbackOptions {
  /** Methods that may be answered so; a write must not pretend that it was done. Default GET and HEAD. */
  readonly methods?: readonly string[];
}

/** What one call may say. */
export interface CallFallback extends FallbackOptions {
  /** The answer for this call. */
  readonly with?: FallbackAnswer;
}

/** A function of the application's own may never settle. */
const PATIENCE = 10_000;

/** Gives an answer, or `undefined`. */
type Answer = (error: unknown, context: FallbackContext, copies: Response[]) => Promise<Response | undefined>;

interface Plan {
  with: Answer;
  methods: string[];
}

/**
 * The last word: an answer of the application's own in place of the final failure, which is an error or a response with
 * 429 or 5xx. `sourceOf(response)` is `'fallback'`; a value is a 200 with JSON.
 *
 * The caller's abort, `ConfigurationError` and `ClosedError` stand. So does the failure where a function gives
 * `undefined`, fails, or takes longer than 10 s; the event `fallback-failed` has the function's error then.
 *
 * @param answer For all calls; a call may give its own: `fallback: { with: … }`.
 */
export function fallback(answer: FallbackAnswer, options: FallbackOptions = {}): Policy {
  const standard: Plan = {
    ...readOptions('fallback', options, { methods }, { methods: ['GET', 'HEAD'] }),
    with: answerOf(answer, 'fallback'),
  };
  const planOf = memoized((own) =>
    own === true ? standard : readOptions<Plan>('fallback', own as object, rules, standard),
  );

  const policy = stage<Plan | undefined>({
    enter({ method, call: { options } }) {
      const plan = options.fallback === undefined ? standard : planOf(options.fallback);
      return plan.methods.includes(method) ? plan : undefined;
    },
    leave(run, plan) {
      const { response, error, call } = run;
      if (!plan || error instanceof ClosedError || error instanceof ConfigurationError) return;
      const isFailed = !response || response.status >= 500 || response.status === 429;
      if (allowsFallback(call, response ?? error, isFailed)) return () => respond(plan.with, run);
    },
  });
  return named('fallback', policy);
}

const methods: Rule<string[]> = list((value, option) =>
  ofType<string>('string')(value, option).toUpperCase(),
);

const answerOf: Rule<Answer> = (value, option) => {
  if (typeof value === 'function') return ofFunction(value as FallbackFunction);
  if (value instanceof Response) return ofResponse(value, option);
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
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

const rules: { [K in keyof Plan]: Rule<Plan[K]> } = { methods, with: answerOf };

async function respond(answer: Answer, run: Run): Promise<undefined> {
  const { request, origin, response, error } = run;
  const { id: callId, emit } = run.call;
  const copies: Response[] = [];
  const work = answer(error, { request, callId, ...(response && { response }) }, copies);
  let isOver = false;
  try {
    const given = await run.wait(PATIENCE, work, () => {
      isOver = true;
    });
    if (!given) return;
    dropBody(response);
    run.response = given;
    emit?.({ type: 'fallback', callId, origin, cause: response ? response.status : error });
  } catch (failed) {
    // What comes too late is nobody's.
    work.then(dropBody, () => {});
    for (const copy of copies) dropBody(copy);
    const hasCallEnded = isOver && !(failed instanceof DeadlineError);
    if (!hasCallEnded) emit?.({ type: 'fallback-failed', callId, origin, error: failed });
  }
}

const ofFunction =
  (answer: FallbackFunction): Answer =>
  async (error, { response, ...context }, copies) => {
    // A copy, so that the failure can still be given when the function has read it.
    const copy = response?.clone();
    if (copy) copies.push(copy);
    let given: unknown;
    try {
      given = await answer(error, copy ? { ...context, response: copy } : context);
      if (given === undefined) return undefined;
      if (!(given instanceof Response)) return await answerOf(given, 'fallback')(error, context, copies);
      return marked(given.body, responseMetadata(given), given.headers, context);
    } finally {
      if (!(given instanceof Response && given.body === copy?.body)) dropBody(copy);
    }
  };

function ofResponse(response: Response, option: string): Answer {
  if (response.bodyUsed || response.status === 0)
    throw new ConfigurationError(option, response, 'expected a Response that can be read');
  let body: ArrayBuffer | null | undefined = response.body === null ? null : undefined;
  return async (_, context) => {
    // Once: a clone for each use would make a chain of streams, each with a copy.
    if (body === undefined) body = await response.clone().arrayBuffer();
    return marked(body, responseMetadata(response), response.headers, context);
  };
}

const ofJson =
  (json: string): Answer =>
  async (_, context) => {
    const { url } = context.request;
    const given: ResponseMetadata = { status: 200, statusText: '', url, type: 'default', redirected: false };
    return marked(json, given, { 'content-type': 'application/json' }, context);
  };

function marked(
  body: BodyInit | null,
  given: ResponseMetadata,
  headers: HeadersInit,
  { request }: FallbackContext,
): Response {
  const own = new Headers(headers);
  own.set(SOURCE_HEADER, 'fallback');
  return createResponse(request.method === 'HEAD' ? null : body, given, own);
}
