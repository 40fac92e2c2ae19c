import { LazyRequest } from '../../primitives/request.ts';
import type { Call } from '../call.ts';

/** What a stage found, before it put something else in its place. */
interface Found {
  readonly level: number;
  readonly outgoing: LazyRequest;
  readonly call: Call;
  readonly outer: Found | undefined;
}

/** The request, the call and the time of a run. A stage may replace request and call: that holds for what is inside the stage. */
export abstract class RunFacts {
  #outgoing: LazyRequest;
  #call: Call;
  protected found: Found | undefined;
  /** In ticks, while hooks run; a wait ends it. */
  protected now: number | undefined;

  constructor(outgoing: LazyRequest, call: Call) {
    this.#outgoing = outgoing;
    this.#call = call;
  }

  /** Of the stage whose turn it is; 0 is the outermost. */
  abstract get level(): number;

  get outgoing(): LazyRequest {
    return this.#outgoing;
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
    this.#remember();
    this.#outgoing = new LazyRequest(request.url, request);
  }

  get call(): Call {
    return this.#call;
  }

  set call(call) {
    this.#remember();
    this.#call = call;
  }

  get origin(): string {
    return this.call.origin;
  }

  set origin(origin) {
    this.call = { ...this.call, origin };
  }

  get deadline(): number {
    return this.call.deadline ?? Infinity;
  }

  set deadline(deadline) {
    this.call = { ...this.call, deadline };
  }

  get attempt(): number {
    return this.call.attempt;
  }

  set attempt(attempt) {
    this.call = { ...this.call, attempt };
  }

  get ticks(): number {
    return this.now ?? this.call.host.clock.ticks();
  }

  /** Gives the stage at `level` back what it found, or has put in its place. */
  protected giveBack(level: number): void {
    for (; this.found && this.found.level > level; this.found = this.found.outer) {
      this.#outgoing = this.found.outgoing;
      this.#call = this.found.call;
    }
  }

  #remember(): void {
    if (this.found?.level !== this.level)
      this.found = { level: this.level, outgoing: this.#outgoing, call: this.#call, outer: this.found };
  }
}
