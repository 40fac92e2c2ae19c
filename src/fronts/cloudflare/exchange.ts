import { OverdueError, within } from '../../core/clock.ts';
import type { Call, Clock } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { IsolateBudgets } from './isolate-budgets.ts';
import { IsolateCircuits } from './isolate-circuits.ts';
import { IsolateRates } from './isolate-rates.ts';
import { type Report, readReply } from './sharing-words.ts';

/** How long an answer may take, in ms. */
const PATIENCE = 2_000;

/** The longest time between two attempts to reach who does not answer, in ms. */
const SELDOM = 60_000;

/** So long what was last heard of a rate is good where nothing is heard any more, in ms. */
const TRUSTED = 10_000;

/** Of the time by which another isolate's probe is waited for, at most; in ms. */
const LATER = 2_000;

/** How many exchanges one request makes at most, where there is more to tell than fits in one. */
const IN_ONE_GO = 5;

/**
 * What this isolate shares with others, through a coordinator that it asks in the background of its calls: one exchange at a
 * time, not more often than `every`, or ten times as often while calls fail; news of a circuit goes at once. Between calls
 * nothing runs; what one request leaves to another is numbers.
 */
export class Exchange {
  readonly circuits = new IsolateCircuits();
  readonly rates = new IsolateRates();
  readonly budgets = new IsolateBudgets();
  readonly #name: string;
  readonly #every: number;
  readonly #send: (report: Report) => Promise<unknown>;
  #clock: Clock | undefined;
  #me = '';
  #life: string | undefined;
  #since = 0;
  /** What is under way. It is over when another one is, or none. */
  #round: object | undefined;
  #urgent = false;
  /** In ticks: when the next one is due; and before which there is none where a call has failed, or however urgent. */
  #due = 0;
  #doubted = Infinity;
  #notBefore = 0;
  #failures = 0;
  #failingSince = Infinity;

  /** @param name Told with events. */
  constructor(name: string, every: number, send: (report: Report) => Promise<unknown>) {
    this.#name = name;
    this.#every = every;
    this.#send = send;
  }

  /** In ticks. */
  get now(): number {
    return this.#clock?.ticks() ?? 0;
  }

  /** Nothing has been heard for so long that it no longer counts. */
  get isAlone(): boolean {
    return this.now - this.#failingSince > TRUSTED;
  }

  /** There is news that others wait for: it goes with the next call. */
  hurry(): void {
    this.#urgent = true;
  }

  /** A call has failed: others may know more. */
  doubt(): void {
    this.#due = Math.min(this.#due, this.#doubted);
  }

  /** Begins an exchange if it is time, in the background of the call. */
  readonly during = (call: Call, urgent = false): this => {
    this.#clock = call.host.clock;
    if (urgent) this.hurry();
    const { now } = this;
    if (now < (this.#urgent ? this.#notBefore : this.#due)) return this;
    // The request that it belonged to has been ended by the platform.
    if (this.#round) this.#failed(new OverdueError(`no answer in ${PATIENCE} ms`), call);
    else {
      this.#due = this.#notBefore = now + 2 * PATIENCE;
      this.#doubted = Infinity;
      this.#round = {};
      call.waitUntil(this.#run(call, this.#round));
    }
    return this;
  };

  async #run(call: Call, round: object): Promise<void> {
    this.#me ||= call.host.random().toString(36).slice(2);
    // The call goes first, and what it has to say is said.
    await undefined;
    const began = this.now;
    try {
      for (let turn = 0; turn === 0 || (this.#urgent && turn < IN_ONE_GO); turn++)
        if (!(await this.#ask(call, round))) return;
    } catch (error) {
      if (this.#round === round) this.#failed(error, call);
      return;
    }
    this.#round = undefined;
    this.#due = began + this.#every;
    this.#doubted = began + this.#every / 10;
    this.#notBefore = 0;
    this.#failures = 0;
    if (this.#failingSince === Infinity) return;
    this.#failingSince = Infinity;
    call.emit?.({ type: 'sharing-restored', name: this.#name });
  }

  /** @returns whether it was answered in time. */
  async #ask(call: Call, round: object): Promise<boolean> {
    const every = this.#every;
    const circuits = this.circuits.report(this.now);
    const rates = this.rates.report(this.now, every);
    const budgets = this.budgets.report();
    this.#urgent = circuits.rest;
    const report: Report = {
      from: this.#me,
      life: this.#life,
      since: this.#since,
      every,
      circuits: circuits.reports,
      rates: rates.reports,
      budgets: budgets.reports,
    };
    const reply = readReply(await within(PATIENCE, { host: call.host }, this.#send(report)));
    if (this.#round !== round) return false;
    const { now } = this;
    circuits.told();
    rates.learn(reply, now);
    budgets.learn(reply);
    if (this.#life !== undefined && reply.life !== this.#life) {
      this.circuits.retell(now);
      this.hurry();
    }
    this.#life = reply.life;
    this.#since = reply.version;
    // By then whoever probes first has told what came of it.
    this.circuits.learn(reply.circuits, this.#me, now, Math.min(LATER, every) * (2 + call.host.random()));
    return true;
  }

  #failed(error: unknown, call: Call): void {
    const { now } = this;
    this.#round = undefined;
    const wait = Math.min(SELDOM, this.#every * 2 ** ++this.#failures) * (0.5 + call.host.random() / 2);
    // A mistake in the settings does not mend itself.
    this.#due = this.#notBefore = error instanceof ConfigurationError ? Infinity : now + wait;
    if (this.#failingSince !== Infinity) return;
    this.#failingSince = now;
    call.emit?.({ type: 'sharing-failed', name: this.#name, error });
  }
}
