import { dropBody } from '../../core/body/body.ts';
import type { Handler } from '../../core/contract.ts';
import type { Run } from '../../core/stage.ts';
import { isOriginFailure } from '../../http/status.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { type Circuit, release } from './circuit.ts';
import type { Circuits } from './transitions.ts';

/** Where and how a probe of its own is sent. */
export interface ProbeTarget {
  /** Relative to the origin. */
  readonly url: string;
  /** How long one request may take, in ms. */
  readonly timeout: number;
  readonly circuits: Circuits;
  readonly inside: Handler;
  /** Called after each request. */
  probed(): void;
}

/** Requests the probe URL, one request after the other, until the circuit opens or closes. */
export async function probeOrigin(
  circuit: Circuit,
  { origin, pipeline, call: { partition, host } }: Run,
  { url, timeout, circuits, inside, probed }: ProbeTarget,
): Promise<void> {
  const { since } = circuit;
  while (circuit.since === since) {
    // Calls of the application stay outside, unless the request was cut off with its call (Workers).
    circuit.permitUntil = host.clock.ticks() + 2 * timeout;
    circuit.probe = circuits.stamp();
    const stamp = circuit.probe;
    const own = createAborter();
    const unfollow = follow(pipeline.signal, own.abort);
    const background = pipeline.background({ origin, partition, options: {}, signal: own.signal });
    const cancel = host.clock.after(timeout, () => own.abort(new DOMException('', 'TimeoutError')));
    let cause: string | undefined;
    try {
      const response = await inside(new Request(new URL(url, origin)), background);
      if (isOriginFailure(response.status)) cause = `status ${response.status}`;
      dropBody(response);
    } catch {
      // Whatever it was, the origin did not respond.
      cause = 'network';
    }
    cancel();
    unfollow();
    if (pipeline.signal.aborted) {
      // Other pipelines may have the circuit.
      release(circuit, stamp);
      break;
    }
    if (cause === undefined) circuits.succeeded(circuit, stamp, host);
    else circuits.failed(circuit, stamp, host, cause);
    probed();
  }
}
