import { aborter } from './abort.ts';
import type { Call, Handler } from './call.ts';
import type { Run } from './stage.ts';
import { newSending, type Sending, Transport } from './transport.ts';

/** One attempt: a request to what is inside a segment, which is the transport or the next wrapper. */
export class InFlight {
  readonly #inside: Handler | Transport;
  readonly #own = aborter();
  readonly #sending: Sending;

  constructor(inside: Handler | Transport, { call, outgoing, origin, attempt }: Run) {
    this.#inside = inside;
    this.#sending = newSending(call, outgoing, origin, attempt, this.#own.signal);
  }

  get isSent(): boolean {
    return this.#sending.isSent;
  }

  /** Calls one of the two when it has ended, also after an abort. */
  start(run: Run, arrived: (response: Response) => void, failed: (error: unknown) => void): void {
    const inside = this.#inside;
    const sending = this.#sending;
    try {
      if (!(inside instanceof Transport)) inside(run.request, this.#derived(run)).then(arrived, failed);
      else
        inside.send(sending).then(
          (given) => {
            let response: Response;
            try {
              response = inside.arrived(sending, given);
            } catch (error) {
              return failed(error);
            }
            arrived(response);
          },
          (cause) => failed(inside.failed(sending, cause)),
        );
    } catch (error) {
      // What forbids to send, or a wrapper that gave no promise.
      failed(error);
    }
  }

  abort(reason: unknown): void {
    this.#own.abort(reason);
    if (this.#inside instanceof Transport) this.#inside.abandoned(this.#sending, reason);
  }

  /** The call as the wrapper sees it. */
  #derived(run: Run): Call {
    const { call, origin, attempt, attemptsLeft, hasResponse, deadline } = run;
    return {
      ...call,
      origin,
      attempt,
      signal: this.#own.signal,
      hasResponse,
      ...(attemptsLeft !== undefined && { attemptsLeft }),
      ...(deadline !== Number.POSITIVE_INFINITY && { deadline }),
      readmit: () => run.recheck(),
      guard: () => {
        call.guard?.();
        this.#sending.isSent = true;
      },
    };
  }
}
