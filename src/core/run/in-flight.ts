import { type Aborter, createAborter } from '../../primitives/abort.ts';
import { dropBody } from '../body/body.ts';
import type { Receiver } from '../call.ts';
import type { Run } from '../stage.ts';
import { type Inside, Sending } from '../transport.ts';

/** One attempt: a request to what is inside a segment. Nothing is received of one that was aborted. */
export class InFlight extends Sending implements Receiver {
  readonly run: Run & Receiver;
  readonly #inside: Inside;
  readonly #own: Aborter;

  constructor(inside: Inside, run: Run & Receiver) {
    const own = createAborter();
    super(run.call, run.outgoing, own.signal);
    this.run = run;
    this.#inside = inside;
    this.#own = own;
  }

  start(): void {
    this.#inside.send(this, this);
  }

  resolve(response: Response): void {
    if (this.signal.aborted) dropBody(response);
    else this.run.resolve(response);
  }

  reject(error: unknown): void {
    if (!this.signal.aborted) this.run.reject(error);
  }

  abort(reason: unknown): void {
    this.#own.abort(reason);
    this.#inside.abandoned?.(this, reason);
  }
}

/** In place of a caller that has left. */
export const GONE: Receiver = { resolve: dropBody, reject() {} };
