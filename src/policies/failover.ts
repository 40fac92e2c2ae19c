import { dropBody } from '../core/body.ts';
import { list, oneOf, positiveDuration, readOptions, size } from '../core/check.ts';
import { type Call, named, type Policy } from '../core/contract.ts';
import type { Duration, Size } from '../core/durations.ts';
import { ConfigurationError, isFailure } from '../core/errors.ts';
import { hasBody, knownSize, readStorableBody } from '../core/replay.ts';
import type { LazyRequest } from '../core/request.ts';
import { type Run, stage } from '../core/stage.ts';
import { IDEMPOTENCY_KEY, IDEMPOTENT_METHODS } from '../http/idempotency.ts';
import { origin, origins, toOrigin } from './elsewhere.ts';

export interface FailoverOptions {
  /** At least two origins that serve the same, the preferred one first: `'https://eu.example.com'`. */
  readonly origins: readonly string[];
  /** Where to begin: `'ordered'` with the first, `'spread'` with one that chance chooses, once. Default `'ordered'`. */
  readonly order?: 'ordered' | 'spread';
  /** How long all calls stay with the origin that answered before one of them tries the preferred one. Default 1 min. */
  readonly stickyFor?: Duration;
  /** Origins that may have the credentials of a request to another one. Default none. */
  readonly credentialsFor?: readonly string[];
  /** How much of a body that can be read only once is kept for the next origin. Default 1 MB. */
  readonly bodyLimit?: Size;
}

interface Settings {
  origins: string[];
  order: 'ordered' | 'spread';
  stickyFor: number;
  credentialsFor: string[];
  bodyLimit: number;
}

/** Answers of a gateway whose origin is down; a 500 is the origin's own word. */
const DOWN = [502, 503, 504];

/**
 * Asks the next origin of a list when one does not answer: after a network error, an attempt that ran out of time, 502,
 * 503 or 504, and where the circuit is open or a limit of ours is reached. Each origin is asked once; the last answer or
 * error counts. A call to an origin that is not in the list passes.
 *
 * What may have arrived goes to another origin only if its method is idempotent or it carries an `Idempotency-Key` (which
 * all origins must know then) and its body can be sent again; what a refusal of ours kept here always does.
 *
 * Elsewhere than to its own origin, a request has its `Authorization`, `Proxy-Authorization`, `Cookie` and `credentials:
 * 'include'` only where `credentialsFor` says so. All attempts of a pass have the same number; they differ in `origin`.
 */
export function failover(options: FailoverOptions): Policy {
  const settings = readOptions<Settings>(
    'failover',
    options,
    {
      origins,
      order: oneOf('ordered', 'spread'),
      stickyFor: positiveDuration,
      credentialsFor: list(origin),
      bodyLimit: size,
    },
    { origins: [], order: 'ordered', stickyFor: 60_000, credentialsFor: [], bodyLimit: 1_000_000 },
  );
  const { origins: all, stickyFor } = settings;
  if (all.length === 0)
    throw new ConfigurationError('failover.origins', undefined, 'expected a list of origins');
  let pipeline = settings.order === 'ordered' ? 0 : undefined;
  /** The origin that answered last after another had not; until then calls stay with it. */
  let stuck = { at: -1, until: 0 };

  /** Where a call begins. One call at a time tries whether home is there again, if it loses nothing by that. */
  const beginning = (
    { attempt, origin, call: { host } }: Run,
    repeatable: boolean,
  ): { start: number; probe: boolean } => {
    // The second of a hedge is meant for the origin that it names.
    if (!Number.isInteger(attempt)) return { start: all.indexOf(origin), probe: false };
    pipeline ??= Math.floor(host.random() * all.length);
    if (stuck.at < 0) return { start: pipeline, probe: false };
    const now = host.clock.ticks();
    const probe = repeatable && now >= stuck.until;
    if (probe) stuck.until = now + stickyFor;
    return { start: probe ? pipeline : stuck.at, probe };
  };

  /** Asks the next origin. */
  const aim = (run: Run, pass: Pass): void => {
    const { call, outgoing, kept, tried } = pass;
    const to = all[(pass.start + tried) % all.length] as string;
    // A body that is not kept goes on as the stream it is, unread by whoever refused it.
    if (tried > 0 || to !== run.origin)
      run.request = toOrigin(
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
    const pass = { outgoing, call, kept, isRepeatable, ...beginning(run, isRepeatable), tried: 0, sent: 0 };
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
        // A retry further in may have sent something before it was refused. The log alone does not tell: what has just run
        // out of time is not in it yet.
        const refused = isRefusal(error) && call.attempts.length === pass.sent;
        const strategy = call.strategy?.(response ?? error);
        const down = strategy
          ? strategy === 'fail-over'
          : response
            ? DOWN.includes(response.status)
            : isDown(error);
        if (!down && response && (pass.tried > 0 || pass.probe))
          stuck = at === pipeline ? { at: -1, until: 0 } : { at, until: call.host.clock.ticks() + stickyFor };
        if (!down || pass.tried + 1 >= all.length || !(refused || pass.isRepeatable)) return;
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

/** What a passage remembers. */
interface Pass {
  readonly outgoing: LazyRequest;
  readonly call: Call;
  /** The body as it can be sent again; see `keptBody`. */
  readonly kept: BodyInit | null | undefined;
  readonly isRepeatable: boolean;
  readonly start: number;
  readonly probe: boolean;
  tried: number;
  /** How many attempts there were before this origin was asked. */
  sent: number;
}

/** A body as it can be sent again; `null` where it can be sent only once. */
async function keptBody(
  request: Request,
  repeatable: boolean,
  limit: number,
): Promise<BodyInit | null | undefined> {
  // Firefox has no stream to hand on: there a body is held as a whole anyway.
  if (request.body === undefined) return readStorableBody(request, Infinity);
  const known = knownSize(request);
  return repeatable || known !== undefined ? readStorableBody(request, Math.max(limit, known ?? 0)) : null;
}

/** Another origin may know better; what was thrown for the whole call is not the origin's. */
const isDown = (error: unknown): boolean =>
  isRefusal(error) ||
  (isFailure(error) && (error.category === 'network' || error.code === 'timeout-attempt'));

/** Of ours, before the attempt is sent. A body that is too large is so everywhere. */
const isRefusal = (error: unknown): boolean =>
  isFailure(error) &&
  (error.category === 'circuit-open' || (error.category === 'capacity' && error.transient));
