import type { Hooks, Options } from 'ky';
import { withFacts } from '../../core/normalize-request.ts';
import type { Fetch } from '../../core/transport.ts';
import { asRetryOptions, type RetryOptions, readPlan } from '../../policies/retry/options.ts';
import { KyCall } from './call.ts';
import { onlyStopped } from './errors.ts';
import { hooksFor } from './hooks.ts';
import { bodyTimeOf, isDuration, limitsOf, msOf, PER_CALL } from './options.ts';
import { type Report, signalled } from './requests.ts';
import type { ClientLevel, ClientSettings, PolicyOptions } from './state.ts';

type Given = Record<string, unknown> & { hooks?: Partial<Hooks>; holdfast?: object };

/** How often `ky.retry()` works where nothing is said. */
const FORCED = 2;

/**
 * ky's own total limit bounds the work outside the pipeline: hooks, and the reading of bodies. If both could end the call, the
 * pipeline does, as it knows the cause.
 */
const LATER = 5;

/** The pipeline as ky calls it. */
const send = ((request: Request, init: { holdfast: KyCall }) =>
  init.holdfast.send(request, init as never)) as unknown as NonNullable<Options['fetch']>;

/**
 * Removes from ky's options those that the pipeline carries out.
 *
 * @param given All that ky has put together.
 * @throws {ConfigurationError} on options that cannot be meant.
 */
export function translate(
  given: Options,
  client: ClientLevel,
): { readonly settings: ClientSettings; readonly theirs: Record<string, unknown> } {
  const {
    retry,
    timeout,
    totalTimeout,
    hooks = {},
    fetch,
    holdfast,
    onUploadProgress,
    ...theirs
  } = given as Given;
  // A hook may hand on the options that it was given: in them are its call, and ky's own form of `retry`.
  const ofHook = holdfast instanceof KyCall ? holdfast.settings : undefined;
  // Said as to the plain fetch, which is as good.
  const named: PolicyOptions = ofHook ? { ...ofHook.policies } : { ...holdfast };
  // The fetch of one call is its transport: it is inside the policies.
  const policies: PolicyOptions = fetch ? withFacts(named, { transport: signalled(fetch as Fetch) }) : named;
  for (const name of PER_CALL) {
    if (theirs[name] !== undefined) policies[name] = theirs[name];
    delete theirs[name];
  }
  const limits = limitsOf(timeout, totalTimeout);
  const total = isDuration(totalTimeout) ? msOf(totalTimeout) : undefined;
  name(policies, 'timeout', limits, client.limits);
  const ownRetry = ofHook && typeof retry === 'object' ? {} : asRetryOptions(retry);
  const { shouldRetry = ofHook?.shouldRetry, ...plan }: RetryOptions = { ...client.retry, ...ownRetry };
  name(policies, 'retry', plan, client.retry);
  if (policies.retry) readPlan(policies.retry);

  const repeats = (hooks.beforeRetry?.length ?? 0) > 0;
  const isForced = repeats || (hooks.afterResponse?.length ?? 0) > 0;
  const reports = typeof onUploadProgress === 'function';
  const givesBody = theirs.json !== undefined || theirs.body !== undefined;
  const remembers =
    givesBody ||
    reports ||
    repeats ||
    shouldRetry !== undefined ||
    // Ours comes before one that may replace the request.
    Boolean(hooks.beforeError?.length || hooks.beforeRequest?.length);
  const { backoffLimit, limit = FORCED } = plan;
  Object.assign(theirs, {
    fetch: send,
    timeout: false,
    // ky reports the error.
    ...(onUploadProgress !== undefined && !reports && { onUploadProgress }),
    ...(total !== undefined && total !== Infinity && { totalTimeout: total && total + LATER }),
    // Forced retries are ky's; all others are the pipeline's. Without them ky need not clone each request.
    retry:
      isForced || Object.keys(plan).length > 0
        ? {
            ...plan,
            ...(backoffLimit !== undefined && { backoffLimit: msOf(backoffLimit) }),
            limit: isForced ? limit : 0,
            shouldRetry: onlyStopped,
          }
        : 0,
    hooks: hooksFor(hooks, remembers),
  });
  const settings: ClientSettings = {
    policies: Reflect.ownKeys(policies).length > 0 ? policies : undefined,
    limits,
    total,
    ...(reports && { onUploadProgress: onUploadProgress as Report }),
    bodyTime: timeout === undefined ? client.bodyTime : bodyTimeOf(timeout),
    throwsErrors: theirs.throwHttpErrors !== false,
    hooks,
    shouldRetry,
    repeatsWithHooks: repeats || shouldRetry !== undefined,
    givesBody,
    hasSignal: Boolean(theirs.signal) || total !== undefined,
  };
  return { settings, theirs };
}

/** Only options that differ from the client's: between the two there are routes. */
function name(policies: PolicyOptions, option: string, said: object, client: object): void {
  const named = Object.entries(said).filter(
    ([name, value]) => value !== undefined && value !== client[name as never],
  );
  if (named.length > 0) policies[option] = { ...(policies[option] as object), ...Object.fromEntries(named) };
}
