import type { Call } from './call.ts';
import { LazyRequest } from './request.ts';

/** What a stage found, before it put something else in its place. */
interface Found {
  readonly level: number;
  readonly outgoing: LazyRequest;
  readonly call: Call;
  readonly origin: string;
  readonly deadline: number;
  readonly attempt: number;
  readonly attemptsLeft: number | undefined;
  readonly hasResponse: boolean;
  readonly outer: Found | undefined;
}

/** The facts of a run that a stage may replace: that holds for what is inside the stage. */
export abstract class RunFacts {
  #outgoing: LazyRequest;
  #call: Call;
  #origin: string;
  #deadline: number;
  #attempt: number;
  #attemptsLeft: number | undefined;
  #hasResponse: boolean;
  #found: Found | undefined;

  constructor(outgoing: LazyRequest, call: Call) {
    this.#outgoing = outgoing;
    this.#call = call;
    this.#origin = call.origin;
    this.#deadline = call.deadline ?? Number.POSITIVE_INFINITY;
    this.#attempt = call.attempt;
    this.#attemptsLeft = call.attemptsLeft;
    this.#hasResponse = call.hasResponse === true;
  }

  /** Of the stage whose turn it is; 0 is the outermost. */
  abstract get level(): number;

  get outgoing(): LazyRequest {
    return this.#outgoing;
  }

  get url(): string {
    return this.#outgoing.url;
  }

  get method(): string {
    return this.#outgoing.method;
  }

  get request(): Request {
    return this.#outgoing.request;
  }

  set request(request) {
    this.#keep();
    this.#outgoing = new LazyRequest(request.url, request);
  }

  get call(): Call {
    return this.#call;
  }

  set call(call) {
    this.#keep();
    this.#call = call;
  }

  get origin(): string {
    return this.#origin;
  }

  set origin(origin) {
    this.#keep();
    this.#origin = origin;
  }

  get deadline(): number {
    return this.#deadline;
  }

  set deadline(deadline) {
    this.#keep();
    this.#deadline = deadline;
  }

  get attempt(): number {
    return this.#attempt;
  }

  set attempt(attempt) {
    this.#keep();
    this.#attempt = attempt;
  }

  get attemptsLeft(): number | undefined {
    return this.#attemptsLeft;
  }

  set attemptsLeft(attemptsLeft) {
    this.#keep();
    this.#attemptsLeft = attemptsLeft;
  }

  get hasResponse(): boolean {
    return this.#hasResponse;
  }

  set hasResponse(hasResponse) {
    this.#keep();
    this.#hasResponse = hasResponse;
  }

  /** Gives the stage at `level` back what it found, or has put in its place. */
  protected giveBack(level: number): void {
    for (; this.#found && this.#found.level > level; this.#found = this.#found.outer)
      this.#restore(this.#found);
  }

  /** Takes the facts of another run as the stages outside `level` know them. */
  protected takeOuter(from: RunFacts, level: number): void {
    this.#restore(from);
    this.#found = from.#found;
    this.giveBack(level - 1);
  }

  #keep(): void {
    if (this.#found?.level === this.level) return;
    const { level, outgoing, call, origin, deadline, attempt, attemptsLeft, hasResponse } = this;
    const facts = { level, outgoing, call, origin, deadline, attempt, attemptsLeft, hasResponse };
    this.#found = { ...facts, outer: this.#found };
  }

  #restore(facts: Found | RunFacts): void {
    this.#outgoing = facts.outgoing;
    this.#call = facts.call;
    this.#origin = facts.origin;
    this.#deadline = facts.deadline;
    this.#attempt = facts.attempt;
    this.#attemptsLeft = facts.attemptsLeft;
    this.#hasResponse = facts.hasResponse;
  }
}
