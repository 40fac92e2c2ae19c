import { sleep, withDeadline } from '../../core/clock.ts';
import type { Call, Clock, Host } from '../../core/contract.ts';
import { ClosedError } from '../../core/errors.ts';
import { LruMap } from '../../core/origins.ts';
import type { Place } from './crew.ts';
import { AuthError, type Trouble, troubleOf } from './error.ts';

/** How a renewal ended. No secret: there is nothing newer than what was refused. */
export type Outcome = { readonly secret: string | undefined } | { readonly trouble: Trouble };

export interface Renewal {
  /** What somebody else has got meanwhile; asked before anything is done. */
  found(): string | undefined;
  /** Gets something new. */
  work(): Promise<Outcome>;
}

/** What is known of one user's renewals. */
interface State {
  underWay: Promise<Outcome | undefined> | undefined;
  /** Where calls share no promise: until then, in ticks, one of them is at it. */
  leasedUntil: number;
  failed: Failed | undefined;
  /** In a row. */
  failures: number;
  /** What the origin refused last, and what it took. */
  refused: string | undefined;
  accepted: string | undefined;
  /** When something was last renewed because the origin refused it, in ticks. */
  renewedAt: number;
  /** How often in a row what was renewed was refused as well. */
  useless: number;
}

type Held = Trouble & { readonly retryAt: number };

interface Failed {
  readonly trouble: Held;
  /** In ticks. */
  readonly until: number;
  readonly offline: boolean;
}

const fresh = (): State => ({
  underWay: undefined,
  leasedUntil: 0,
  failed: undefined,
  failures: 0,
  refused: undefined,
  accepted: undefined,
  renewedAt: -Infinity,
  useless: 0,
});

/** How often a call looks whether another one is done, in ms, where they share no promise. */
const POLL = 50;

/** How long after one renewal the next would bring nothing better, in ms; it doubles as long as that is so. */
const TOO_SOON = 30_000;
const TOO_SOON_AT_MOST = 600_000;

/** How long nobody asks again after a failure, in ms: at first, and at most; it doubles with each. */
const HOLD = 1_000;
const HOLD_AT_MOST = 60_000;

/** The most that a token endpoint can ask for, in ms. */
const WAIT_AT_MOST = 600_000;

/** Renews credentials once for all calls of a user, and remembers for a while that it was in vain. */
export class Renewals {
  /** Bounded: who is forgotten while it is done for them is taken for another, whom the lock lets wait. */
  readonly #users = new LruMap<State>(fresh);
  readonly #origin: string;
  readonly #patience: number;

  /**
   * @param origin For events.
   * @param patience How long one waits for its turn, and then takes, in ms.
   */
  constructor(origin: string, patience: number) {
    this.#origin = origin;
    this.#patience = patience;
  }

  /** @throws {AuthError} one for each call. */
  async once(user: string, call: Call, place: Place, renewal: Renewal): Promise<string | undefined> {
    const { clock, canShareIO } = call.host;
    for (;;) {
      const found = renewal.found();
      if (found !== undefined) return found;
      const state = this.#users.get(user);
      if (isHeld(state.failed, call.host)) throw new AuthError(state.failed.trouble);
      if (!canShareIO && state.leasedUntil > clock.ticks()) {
        await sleep(POLL, call);
        continue;
      }
      const work = state.underWay ?? this.#begin(state, call, place, renewal);
      const outcome = await withDeadline(Infinity, call, work);
      if (outcome && 'trouble' in outcome) throw new AuthError(outcome.trouble);
      if (outcome) return outcome.secret;
      // The pipeline that was at it has been closed; it may be another one than ours.
      if (place.pipeline.signal.aborted) throw new ClosedError();
    }
  }

  /** As `once`, and nobody waits for it. */
  ahead(user: string, call: Call, place: Place, renewal: Renewal): void {
    const state = this.#users.get(user);
    const isBusy = state.underWay !== undefined || state.leasedUntil > call.host.clock.ticks();
    if (!isBusy && !isHeld(state.failed, call.host)) void this.#begin(state, call, place, renewal);
  }

  /**
   * The origin has refused a secret.
   *
   * @param since When it was got here, in ticks; one that was never taken is as good as the one before.
   * @returns whether another one may help.
   */
  refused(user: string, secret: string, since: number, clock: Clock): boolean {
    const state = this.#users.get(user);
    state.refused = secret;
    const last = Math.max(state.renewedAt, state.accepted === secret ? -Infinity : since);
    return clock.ticks() - last >= Math.min(TOO_SOON_AT_MOST, TOO_SOON * 2 ** state.useless);
  }

  /** What was refused has been renewed. */
  renewed(user: string, since: number, clock: Clock): void {
    const state = this.#users.get(user);
    state.renewedAt = clock.ticks();
    if (since > -Infinity) state.useless++;
  }

  /** The origin takes it. @returns whether it refused another one before. */
  accepted(user: string, secret: string): boolean {
    const state = this.#users.get(user);
    state.useless = 0;
    state.accepted = secret;
    if (state.refused === undefined || state.refused === secret) return false;
    state.refused = undefined;
    return true;
  }

  /** Something has changed: what failed may be tried again. */
  reset(user: string): void {
    const state = this.#users.get(user);
    const { underWay, leasedUntil } = state;
    Object.assign(state, fresh(), { underWay, leasedUntil });
  }

  #begin(state: State, call: Call, place: Place, renewal: Renewal): Promise<Outcome | undefined> {
    const { clock, canShareIO } = call.host;
    const work = this.#run(state, call.host, place, renewal).finally(() => {
      state.underWay = undefined;
      state.leasedUntil = 0;
    });
    if (canShareIO) state.underWay = work;
    // A call that is cut off in Workers tells nobody.
    else state.leasedUntil = clock.ticks() + 2 * this.#patience;
    // No caller's abort ends it: what it brings may be the only one of its kind.
    call.waitUntil(work);
    return work;
  }

  async #run(state: State, host: Host, { pipeline }: Place, renewal: Renewal): Promise<Outcome | undefined> {
    let outcome: Outcome;
    try {
      outcome = await renewal.work();
    } catch (error) {
      if (error instanceof ClosedError) return undefined;
      outcome = { trouble: troubleOf(error, 'refresh-failed', 'the credentials could not be renewed') };
    }
    if (!('trouble' in outcome)) {
      state.failed = undefined;
      state.failures = 0;
      return outcome;
    }
    const { code, transient } = outcome.trouble;
    if (code !== 'refresh-failed' && code !== 'credentials-failed') return outcome;
    const trouble = hold(state, outcome.trouble, host);
    const { retryAt } = trouble;
    pipeline.emit?.({ type: 'token-refresh-failed', origin: this.#origin, code, transient, retryAt });
    return { trouble };
  }
}

/** Whether it is too soon to ask again. What failed while offline may be tried when there is a network. */
const isHeld = (failed: Failed | undefined, { clock, connectivity: online }: Host): failed is Failed =>
  failed !== undefined && clock.ticks() < failed.until && !(failed.offline && online.state);

function hold(state: State, trouble: Trouble, { clock, random, connectivity: online }: Host): Held {
  const longest = trouble.transient ? Math.min(HOLD_AT_MOST, HOLD * 2 ** state.failures++) : HOLD_AT_MOST;
  const asked = Math.max(0, Math.min(WAIT_AT_MOST, trouble.wait ?? 0));
  // Half of it by chance, so that clients that failed together do not come back together.
  const wait = asked + longest * (0.5 + random() / 2);
  const held = { ...trouble, retryAt: Math.ceil(clock.now() + wait) };
  state.failed = { trouble: held, until: clock.ticks() + wait, offline: !online.state };
  return held;
}
