import { type Aborter, createAborter } from '../../primitives/abort.ts';
import { dropBody } from '../body/body.ts';
import type { Call, Handler, Receiver } from '../call.ts';
import type { Run } from '../stage.ts';
import { Sending, Transport } from '../transport.ts';

/** One attempt: a request to what is inside a segment, which is the transport or the next wrapper. */
export class InFlight extends Sending {
  readonly #inside: Handler | Transport;
  readonly #own: Aborter;

  constructor(inside: Handler | Transport, { call, outgoing, origin, attempt }: Run) {
    const own = createAborter();
    super(call, outgoing, origin, attempt, own.signal);
    this.#inside = inside;
    this.#own = own;
  }

  /** Nothing is received of an attempt that was aborted. */
  start(run: Run & Receiver): void {
    const inside = this.#inside;
    const reject = (error: unknown): void => {
      if (!this.signal.aborted) run.reject(error);
    };
    try {
      if (!(inside instanceof Transport))
        inside(run.request, this.#derived(run)).then((response) => this.#arrived(response, run), reject);
      else
        inside.send(this).then(
          (given) => {
            let response: Response;
            try {
              response = inside.arrived(this, given);
            } catch (error) {
              return reject(error);
            }
            this.#arrived(response, run);
          },
          (cause) => reject(inside.failed(this, cause)),
        );
    } catch (error) {
      // What forbids to send, or a wrapper that gave no promise.
      reject(error);
    }
  }

  #arrived(response: Response, run: Receiver): void {
    if (this.signal.aborted) dropBody(response);
    else run.resolve(response);
  }

  abort(reason: unknown): void {
    this.#own.abort(reason);
    if (this.#inside instanceof Transport) this.#inside.abandoned(this, reason);
  }

  /** The call as the wrapper sees it. */
  #derived(run: Run): Call {
    const { call, origin, attempt, attemptsLeft, hasResponse, deadline } = run;
    return {
      ...call,
      origin,
      attempt,
      signal: this.signal,
      hasResponse,
      ...(attemptsLeft !== undefined && { attemptsLeft }),
      ...(deadline !== Number.POSITIVE_INFINITY && { deadline }),
      recheckCircuit: () => run.recheck(),
      beforeSend: () => {
        call.beforeSend?.();
        this.isSent = true;
      },
    };
  }
}
