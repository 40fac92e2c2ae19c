import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  handleAll,
  handleWhen,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel';
import { type Contestant, HOUR, reading, type Transport } from './contestant.ts';

const unlessRefused = handleWhen((error) => !(error instanceof BrokenCircuitError));

/** Repetition, circuit and time limit around anything that throws. */
export const policiesOf = (threshold: number) =>
  wrap(
    retry(unlessRefused, { maxAttempts: 2, backoff: new ConstantBackoff(0) }),
    circuitBreaker(handleAll, { halfOpenAfter: HOUR, breaker: new ConsecutiveBreaker(threshold) }),
    timeout(10_000, TimeoutStrategy.Cooperative),
  );

function guarded(transport: Transport, threshold: number) {
  const policies = policiesOf(threshold);
  return (url: string): Promise<Response> =>
    policies.execute(async ({ signal }) => {
      const response = await transport(url, { signal });
      if (response.status < 500) return response;
      await response.body?.cancel();
      throw new Error(`${response.status}`);
    });
}

export const cockatiel: Contestant = {
  name: 'cockatiel',
  call: (transport) => reading(guarded(transport, Infinity)),
  repeating: (transport) => reading(guarded(transport, Infinity)),
  breaking: (transport) => reading(guarded(transport, 5)),
};
