import type { Call, PipelineContext } from '../../core/contract.ts';
import { currentPartition } from '../../core/user.ts';
import type { Respect } from './backoff.ts';

/**
 * Triggers of the outbox: load, online, visible, and a timer for what those miss.
 *
 * @param wake Called with the waits to respect: a change of the network or of the page ends the backoff.
 * @param hidden Called when the page is hidden: it may be its last moment.
 */
export function subscribeTriggers(
  pipeline: PipelineContext,
  every: number,
  wake: (respect: Respect) => void,
  hidden: () => void,
): void {
  const { clock, connectivity: online } = pipeline.host;
  let cancel = (): void => {};
  const tick = (): void => {
    wake('all');
    cancel = clock.after(every, tick, { background: true });
  };
  // Not at once: the application may still be setting itself up.
  cancel = clock.after(0, tick, { background: true });
  const unsubscribe = online.subscribe((up) => up && wake('retry-after'));
  const document = globalThis.document as Document | undefined;
  const visible = (): void => {
    if (document?.visibilityState === 'visible') wake('retry-after');
    else hidden();
  };
  document?.addEventListener('visibilitychange', visible);
  pipeline.signal.addEventListener(
    'abort',
    () => {
      cancel();
      unsubscribe();
      document?.removeEventListener('visibilitychange', visible);
    },
    { once: true },
  );
}

/**
 * Another trigger: the first call of a user that has signed in. Only in a page, which has one user at a time; on a server, users
 * alternate from call to call.
 */
export function onSignIn(pipeline: PipelineContext, wake: (respect: Respect) => void): (call: Call) => void {
  if (!('document' in globalThis)) return () => {};
  // The entries of this user are sent on load.
  let last = currentPartition(pipeline);
  return ({ partition, isSignedOut }) => {
    const isSignIn = !isSignedOut && partition !== last;
    last = isSignedOut ? undefined : partition;
    if (isSignIn) wake('all');
  };
}
