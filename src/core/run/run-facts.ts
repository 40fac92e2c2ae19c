import { LazyRequest } from '../../primitives/request.ts';
import type { Call } from '../call.ts';

interface Facts {
  readonly outgoing: LazyRequest;
  readonly call: Call;
  readonly origin: string;
  readonly deadline: number;
  readonly attempt: number;
  readonly attemptsLeft: number | undefined;
  readonly hasResponse: boolean;
}

/** What a stage found, before it put something else in its place. */
interface Found {
  readonly level: number;
  readonly facts: Facts;
  readonly outer: Found | undefined;
}

/** The facts of a run that a stage may replace: that holds for what is inside the stage. */
export abstract class RunFacts {
  protected facts: Facts;
  protected found: Found | undefined;

  constructor(outgoing: LazyRequest, call: Call) {
    const { origin, deadline = Number.POSITIVE_INFINITY, attempt, attemptsLeft, hasResponse = false } = call;
    this.facts = { outgoing, call, origin, deadline, attempt, attemptsLeft, hasResponse };
  }

  /** Of the stage whose turn it is; 0 is the outermost. */
  abstract get level(): number;

  get outgoing(): LazyRequest {
    return this.facts.outgoing;
  }

  get url(): string {
    return this.outgoing.url;
  }

  get method(): string {
    return this.outgoing.method;
  }

  get request(): Request {
    return this.outgoing.request;
  }

  set request(request) {
    this.#put({ outgoing: new LazyRequest(request.url, request) });
  }

  get call(): Call {
    return this.facts.call;
  }

  set call(call) {
    this.#put({ call });
  }

  get origin(): string {
    return this.facts.origin;
  }

  set origin(origin) {
    this.#put({ origin });
  }

  get deadline(): number {
    return this.facts.deadline;
  }

  set deadline(deadline) {
    this.#put({ deadline });
  }

  get attempt(): number {
    return this.facts.attempt;
  }

  set attempt(attempt) {
    this.#put({ attempt });
  }

  get attemptsLeft(): number | undefined {
    return this.facts.attemptsLeft;
  }

  set attemptsLeft(attemptsLeft) {
    this.#put({ attemptsLeft });
  }

  get hasResponse(): boolean {
    return this.facts.hasResponse;
  }

  set hasResponse(hasResponse) {
    this.#put({ hasResponse });
  }

  /** Gives the stage at `level` back what it found, or has put in its place. */
  protected giveBack(level: number): void {
    for (; this.found && this.found.level > level; this.found = this.found.outer)
      this.facts = this.found.facts;
  }

  #put(changes: Partial<Facts>): void {
    if (this.found?.level !== this.level)
      this.found = { level: this.level, facts: this.facts, outer: this.found };
    this.facts = { ...this.facts, ...changes };
  }
}
