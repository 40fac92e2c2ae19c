import type { Call, Clock, Host, PipelineContext } from '../../core/contract.ts';
import { ClosedError } from '../../core/errors.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { DeadlineError, sleep, withDeadline } from '../../primitives/clock.ts';
import { withLock } from '../../primitives/locks.ts';
import { LruMap } from '../../primitives/lru.ts';
import { AuthError, type AuthFailure, toAuthFailure } from './error.ts';
import type { AuthSettings } from './settings.ts';

/** A call, and the pipeline that it runs in. */
export interface Caller extends Call {
  readonly pipeline: PipelineContext;
}

/** The outcome of a refresh. No secret: there are no newer credentials than the refused ones. */
export type RefreshOutcome = { readonly secret: string | undefined } | { readonly failure: AuthFailure };

export interface RefreshTask {
  /** A token that another call or tab got in between; checked first. */
  found(): string | undefined;
  /** Gets something new. */
  work(): Promise<RefreshOutcome>;
}

/** The refreshes of one user. */
class State {
  underWay: Promise<RefreshOutcome | undefined> | undefined = undefined;
  /** Where calls share no promise: until then, in ticks, one of them is at it. */
  leasedUntil = 0;
  /** The last failure, which stands until then, in ticks. */
  failed: { failure: AuthFailure; until: number; isOffline: boolean } | undefined = undefined;
  /** In a row. */
  failures = 0;
  /** The credentials that the origin refused last, and accepted last. */
  refused: string | undefined = undefined;
  accepted: string | undefined = undefined;
  /** When something was last renewed because the origin refused it, in ticks. */
  renewedAt = -Infinity;
  /** How often in a row the origin refused refreshed credentials. */
  useless = 0;
}

/** The poll interval for the refresh of another call, in ms, where calls share no promise. */
const POLL = 50;

/** How long after one renewal the next would bring nothing better, in ms; it doubles as long as that is so. */
const MIN_REFRESH_INTERVAL = 30_000;
const MAX_REFRESH_INTERVAL = 600_000;

/** The backoff after a failed refresh, in ms: the first and the longest; it doubles. */
const MIN_FAILURE_BACKOFF = 1_000;
const MAX_FAILURE_BACKOFF = 60_000;

/** The most that a token endpoint can ask for, in ms. */
const MAX_RETRY_AFTER = 600_000;

/** Renews credentials once for all calls of a user, and remembers for a while that it was in vain. */
export class RefreshCoordinator {
  /** Bounded. If a user is evicted during a refresh, the next call starts another one; the lock serialises them. */
  readonly #users = new LruMap(() => new State());
  readonly #settings: AuthSettings;

  constructor(settings: AuthSettings) {
    this.#settings = settings;
  }

  /** @throws {AuthError} one for each call. */
  async refresh(user: string, caller: Caller, task: RefreshTask): Promise<string | undefined> {
    const { clock, canShareIO } = caller.host;
    for (;;) {
      const found = task.found();
      if (found !== undefined) return found;
      const state = this.#users.get(user);
      const failure = backoffOf(state, caller.host);
      if (failure) throw new AuthError(failure);
      if (!canShareIO && state.leasedUntil > clock.ticks()) {
        await sleep(POLL, caller);
        continue;
      }
      const work = state.underWay ?? this.#begin(state, caller, task);
      const outcome = await withDeadline(Infinity, caller, work);
      if (outcome && 'failure' in outcome) throw new AuthError(outcome.failure);
      if (outcome) return outcome.secret;
      // The refreshing pipeline was closed; it may be another than this one.
      if (caller.pipeline.signal.aborted) throw new ClosedError();
    }
  }

  /** As `refresh`, without a caller that waits. */
  refreshInBackground(user: string, caller: Caller, task: RefreshTask): void {
    const state = this.#users.get(user);
    const isBusy = state.underWay !== undefined || state.leasedUntil > caller.host.clock.ticks();
    if (!isBusy && !backoffOf(state, caller.host)) void this.#begin(state, caller, task);
  }

  /**
   * The origin has refused a secret.
   *
   * @param since When it was got here by a refresh, in ticks; one that was never taken is as good as the one before.
   * @returns whether another one may help.
   */
  refused(user: string, secret: string, clock: Clock, since = -Infinity): boolean {
    const state = this.#users.get(user);
    state.refused = secret;
    const last = Math.max(state.renewedAt, state.accepted === secret ? -Infinity : since);
    return clock.ticks() - last >= Math.min(MAX_REFRESH_INTERVAL, MIN_REFRESH_INTERVAL * 2 ** state.useless);
  }

  /**
   * The refused credentials have been refreshed.
   *
   * @param isRepeated They were got by a refresh themselves.
   * @param later The user's key from now on.
   */
  renewed(user: string, isRepeated: boolean, clock: Clock, later = user): void {
    const state = this.#users.get(user);
    this.#users.set(later, state);
    state.renewedAt = clock.ticks();
    if (isRepeated) state.useless++;
  }

  /** The origin accepts it. @returns whether the origin refused another one before. */
  accepted(user: string, secret: string): boolean {
    const state = this.#users.get(user);
    state.useless = 0;
    state.accepted = secret;
    if (state.refused === undefined || state.refused === secret) return false;
    state.refused = undefined;
    return true;
  }

  /** Allows another attempt after a failure, because the credentials have changed. */
  reset(user: string): void {
    const state = this.#users.get(user);
    const { underWay, leasedUntil } = state;
    // That a secret was refused is remembered, and not which one: the outbox of this user still waits for another.
    const refused = state.refused === undefined ? undefined : '';
    Object.assign(state, new State(), { underWay, leasedUntil, refused });
  }

  #begin(state: State, caller: Caller, task: RefreshTask): Promise<RefreshOutcome | undefined> {
    const { clock, canShareIO } = caller.host;
    const work = this.#run(state, caller, task).finally(() => {
      state.underWay = undefined;
      state.leasedUntil = 0;
    });
    if (canShareIO) state.underWay = work;
    // A call that is cut off in Workers reports nothing.
    else state.leasedUntil = clock.ticks() + 2 * this.#settings.timeout;
    // No caller's abort ends it: the refresh token may be spent.
    caller.waitUntil(work);
    return work;
  }

  /** @returns `undefined` if the pipeline was closed. */
  async #run(state: State, caller: Caller, task: RefreshTask): Promise<RefreshOutcome | undefined> {
    const { clock, random, connectivity } = caller.host;
    let outcome: RefreshOutcome;
    try {
      outcome = await task.work();
    } catch (error) {
      if (error instanceof ClosedError) return undefined;
      outcome = { failure: toAuthFailure(error, 'refresh-failed', 'the credentials could not be renewed') };
    }
    if (!('failure' in outcome)) {
      state.failed = undefined;
      state.failures = 0;
      return outcome;
    }
    const { code, transient, wait = 0 } = outcome.failure;
    if (code !== 'refresh-failed' && code !== 'credentials-failed') return outcome;
    const backoff = transient
      ? Math.min(MAX_FAILURE_BACKOFF, MIN_FAILURE_BACKOFF * 2 ** state.failures++)
      : MAX_FAILURE_BACKOFF;
    // Jitter of one half, so that clients that failed together do not return together.
    const delay = Math.max(0, Math.min(MAX_RETRY_AFTER, wait)) + backoff * (0.5 + random() / 2);
    const retryAt = Math.ceil(clock.now() + delay);
    const failure = { ...outcome.failure, retryAt };
    state.failed = { failure, until: clock.ticks() + delay, isOffline: !connectivity.state };
    const [origin = ''] = this.#settings.origins;
    caller.pipeline.emit({ type: 'token-refresh-failed', origin, code, transient, retryAt });
    return { failure };
  }
}

/** The failure whose backoff goes on. After a failure while offline it ends with the network's return. */
const backoffOf = ({ failed }: State, { clock, connectivity }: Host): AuthFailure | undefined =>
  failed && clock.ticks() < failed.until && !(failed.isOffline && connectivity.state)
    ? failed.failure
    : undefined;

/**
 * Runs a task while no other tab or worker runs one of the same name. If I/O belongs to one request, calls cannot wait for one
 * another: the task runs at once.
 *
 * @param timeout How long to wait for the lock, in ms.
 * @param task Called with how long it waited, in ms.
 * @param holdUntil Work that keeps the lock afterwards; the caller does not wait for it.
 * @throws {DeadlineError} after `timeout`; a `ClosedError` if the pipeline is closed first. The task has not run.
 */
export async function withRefreshLock<T>(
  name: string,
  timeout: number,
  { host: { canShareIO, clock }, signal }: PipelineContext,
  task: (waited: number) => Promise<T>,
  holdUntil = async (): Promise<void> => {},
): Promise<T> {
  if (!canShareIO) return task(0);
  const since = clock.ticks();
  const line = createAborter();
  const cancel = clock.after(timeout, () => line.abort(new DeadlineError('the lock is held by another tab')));
  const unfollow = follow(signal, line.abort);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  try {
    await new Promise<void>((acquired, rejected) => {
      const hold = (): Promise<void> => {
        acquired();
        return released;
      };
      withLock(name, line.signal, hold).catch(() => {
        if (line.signal.aborted) rejected(line.signal.reason);
        // Pages without an origin of their own have no locks.
        else acquired();
      });
    })
      .finally(cancel)
      .finally(unfollow);
    return await task(clock.ticks() - since);
  } finally {
    holdUntil().then(release, release);
  }
}
