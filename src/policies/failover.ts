import { dropBody } from '../core/body/body.ts';
import { hasBody, knownSize, readStorableBody } from '../core/body/request-body.ts';
import { type Call, named, type Policy } from '../core/contract.ts';
import { type Run, stage } from '../core/stage.ts';
import { IDEMPOTENCY_KEY, IDEMPOTENT_METHODS } from '../http/idempotency.ts';
import { isFailure } from '../primitives/failure.ts';
import type { LazyRequest } from '../primitives/request.ts';
import type { Duration, Size } from '../primitives/units.ts';
import { expected, list, oneOf, positiveDuration, readSettings, size } from '../primitives/validate.ts';
import { origin, origins, retargetOrigin } from './retarget.ts';

export interface FailoverOptions {
  /** At least two origins that serve the same, the preferred one first: `'https://eu.example.com'`. */
  readonly origins: readonly string[];
  /** Where to begin: `'ordered'` with the first, `'spread'` with one that chance chooses, once. Default `'ordered'`. */
  readonly order?: 'ordered' | 'spread';
  /** How long all calls stay with the origin that responded before one of them tries the preferred one. Default 1 min. */
  readonly stickyFor?: Duration;
  /** Origins that may have the credentials of a request to another one. Default none. */
  readonly credentialsFor?: readonly string[];
  /** How much of a body that can be read only once is kept for the next origin. Default 1 MB. */
  readonly bodyLimit?: Size;
}

/** Responses of a gateway whose origin is down; a 500 comes from the origin itself. */
const UNAVAILABLE = [502, 503, 504];

/**
 * Tries the next origin of a list when one does not respond: after a network error, an attempt that timed out, 502,
 * 503 or 504, an open circuit, or a rejection by `bulkhead` or `rateLimit`. Each origin is tried once; the last response or
 * error counts. A call to an origin that is not in the list passes.
 *
 * A request that may have arrived goes to another origin only if its method is idempotent or it has an `Idempotency-Key` (which
 * all origins must know then) and its body can be sent again. A request that was rejected unsent always does.
 *
 * To another origin, a request has its `Authorization`, `Proxy-Authorization`, `Cookie` and `credentials:
 * 'include'` only if `credentialsFor` names that origin. All attempts of a pass have the same number; they differ in `origin`.
 *
 * @example
 * const fetch = createFetch({
 *   failover: failover({ origins: ['https://eu.example.com', 'https://us.example.com'] }),
 * });
 */
export function failover(options: FailoverOptions): Policy {
  const settings = readSettings(
    'failover',
    {
      origins: [[], origins],
      order: ['ordered' as const, oneOf('ordered', 'spread')],
      stickyFor: [60_000, positiveDuration],
      credentialsFor: [[], list(origin)],
      bodyLimit: [1_000_000, size],
    },
    options,
  );
  const { origins: all, stickyFor } = settings;
  expected('a list of origins', all.length > 0, options.origins, 'failover.origins');
  let pipeline = settings.order === 'ordered' ? 0 : undefined;
  /** The origin that responded last after another had not; until then calls stay with it. */
  let sticky = { at: -1, until: 0 };

  /** The origin with which a call begins. One call at a time probes the preferred origin, if it can be repeated. */
  const startOf = (
    { attempt, origin, call: { host } }: Run,
    repeatable: boolean,
  ): { start: number; probe: boolean } => {
    // The second attempt of a hedge names its origin.
    if (!Number.isInteger(attempt)) return { start: all.indexOf(origin), probe: false };
    pipeline ??= Math.floor(host.random() * all.length);
    if (sticky.at < 0) return { start: pipeline, probe: false };
    const now = host.clock.ticks();
    const probe = repeatable && now >= sticky.until;
    if (probe) sticky.until = now + stickyFor;
    return { start: probe ? pipeline : sticky.at, probe };
  };

  /** Points the run at the next origin. */
  const aim = (run: Run, pass: Pass): void => {
    const { call, outgoing, kept, tried } = pass;
    const to = all[(pass.start + tried) % all.length] as string;
    // A body that is not kept goes on as the stream it is, unread by the policy that rejected the request.
    if (tried > 0 || to !== run.origin)
      run.request = retargetOrigin(
        outgoing.request,
        to,
        settings.credentialsFor,
        kept === null ? run.request.body : kept,
      );
    run.origin = to;
    // Another origin is better than waiting for this one.
    run.call = { ...call, origin: to, ...(tried + 1 < all.length && { standsIn: async () => true }) };
    pass.sent = call.attempts.length;
  };

  const begin = (run: Run, repeatable: boolean, kept: BodyInit | null | undefined): Pass => {
    const { outgoing, call } = run;
    const isRepeatable = repeatable && kept !== null;
    const pass = { outgoing, call, kept, isRepeatable, ...startOf(run, isRepeatable), tried: 0, sent: 0 };
    aim(run, pass);
    return pass;
  };

  return named(
    'failover',
    stage<Pass | undefined>({
      enter(run) {
        const { outgoing, method, origin, call } = run;
        if (!all.includes(origin)) return;
        const isIdempotent = IDEMPOTENT_METHODS.includes(method);
        const repeatable =
          isIdempotent || (!call.hasGeneratedKey && run.request.headers.has(IDEMPOTENCY_KEY));
        if (!outgoing.isMade || !hasBody(run.request)) return begin(run, repeatable, undefined);
        const kept = run.wait(Infinity, keptBody(run.request, repeatable, settings.bodyLimit));
        return kept.then((body) => begin(run, repeatable, body));
      },
      leave(run, pass) {
        if (!pass) return;
        const { response, error, call } = run;
        const at = (pass.start + pass.tried) % all.length;
        // A retry further in may have sent something before it was rejected. The log alone is not enough: what has just run
        // out of time is not in it yet.
        const refused = isRejection(error) && call.attempts.length === pass.sent;
        const strategy = call.strategy?.(response ?? error);
        const down = strategy
          ? strategy === 'fail-over'
          : response
            ? UNAVAILABLE.includes(response.status)
            : isDown(error);
        if (!down && response && (pass.tried > 0 || pass.probe))
          sticky =
            at === pipeline ? { at: -1, until: 0 } : { at, until: call.host.clock.ticks() + stickyFor };
        if (!down || pass.tried + 1 >= all.length || !(refused || pass.isRepeatable)) return;
        // A policy further in has made a request of the stream, to add a header.
        if (pass.kept === null && run.request.bodyUsed) return;
        return async () => {
          dropBody(run.response);
          const { id: callId, emit } = call;
          const to = all[(at + 1) % all.length] as string;
          const cause = response ? response.status : error;
          emit?.({ type: 'failover', callId, origin: run.origin, to, cause });
          pass.tried++;
          aim(run, pass);
          return 'repeat';
        };
      },
    }),
    { switchOnly: true },
  );
}

/** The memory of a passage. */
interface Pass {
  readonly outgoing: LazyRequest;
  readonly call: Call;
  /** The body as it can be sent again; see `keptBody`. */
  readonly kept: BodyInit | null | undefined;
  readonly isRepeatable: boolean;
  readonly start: number;
  readonly probe: boolean;
  tried: number;
  /** How many attempts there were before this origin was tried. */
  sent: number;
}

/** A body as it can be sent again; `null` if it can be sent only once. */
async function keptBody(
  request: Request,
  repeatable: boolean,
  limit: number,
): Promise<BodyInit | null | undefined> {
  // Firefox has no stream to hand on: it holds the whole body anyway.
  if (request.body === undefined) return readStorableBody(request, Infinity);
  const known = knownSize(request);
  return repeatable || known !== undefined ? readStorableBody(request, Math.max(limit, known ?? 0)) : null;
}

/** True for a failure that another origin may not have; false for an error of the whole call. */
const isDown = (error: unknown): boolean =>
  isRejection(error) ||
  (isFailure(error) && (error.category === 'network' || error.code === 'timeout-attempt'));

/** True if a policy rejected the attempt unsent. A body that is too large is so for every origin. */
const isRejection = (error: unknown): boolean =>
  isFailure(error) &&
  (error.category === 'circuit-open' || (error.category === 'capacity' && error.transient));
