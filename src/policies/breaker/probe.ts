import { aborter, follow } from '../../core/abort.ts';
import { dropBody } from '../../core/body.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { isOriginFailure } from '../../http/status.ts';
import type { Circuit } from './circuit.ts';
import type { Circuits } from './circuits.ts';

/** Where and how a probe of its own is sent. */
export interface ProbeTarget {
  /** Relative to the origin. */
  readonly url: string;
  /** How long one request may take, in ms. */
  readonly timeout: number;
  readonly circuits: Circuits;
  readonly next: Handler;
  readonly home: Home;
  /** Called after each request. */
  probed(): void;
}

/** Requests the probe URL, one request after the other, until the circuit opens or closes. */
export async function probeOrigin(
  key: string,
  seen: Circuit,
  call: Call,
  target: ProbeTarget,
): Promise<void> {
  const { circuits, next, home, timeout } = target;
  const { origin, partition, host } = call;
  while (circuits.get(key) === seen && seen.is === 'half-open') {
    // Calls of the application stay outside.
    seen.permit = Infinity;
    const own = aborter();
    const unfollow = follow(home.signal, own.abort);
    const background = home.background({ origin, partition, options: {}, signal: own.signal });
    const began = circuits.stamp();
    const cancel = host.clock.after(timeout, () => own.abort(new DOMException('', 'TimeoutError')));
    let cause: string | undefined;
    try {
      const response = await next(new Request(new URL(target.url, origin)), background);
      if (isOriginFailure(response.status)) cause = `status ${response.status}`;
      dropBody(response);
    } catch {
      // Whatever it was, the origin did not respond.
      cause = 'network';
    }
    cancel();
    unfollow();
    if (home.signal.aborted) break;
    if (cause === undefined) circuits.succeeded(key, seen, host, false, 0);
    else circuits.failed(key, seen, host, { permit: Infinity, began, repeats: false, cause });
    target.probed();
  }
}
