import type { Call, PipelineContext } from '../../core/contract.ts';
import { currentPartition } from '../../core/signed-in.ts';
import type { Waits } from './schedule.ts';

/**
 * Occasions to look after the outbox: loading, coming online, becoming visible, and a timer for whatever those miss.
 *
 * @param wake Where something has changed, waits that no origin asked for are over.
 * @param hidden Told when the page is: it may be its last moment.
 */
export function whenever(
  pipeline: PipelineContext,
  every: number,
  wake: (waits: Waits) => void,
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
  const unsubscribe = online.subscribe((up) => up && wake('asked'));
  const document = globalThis.document as Document | undefined;
  const visible = (): void => {
    if (document?.visibilityState === 'visible') wake('asked');
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
 * Another occasion: a user signs in, which the first call of that user shows. Only in a page, which has one user at a time; on a
 * server, users alternate from call to call.
 */
export function onSignIn(pipeline: PipelineContext, wake: (waits: Waits) => void): (call: Call) => void {
  if (!('document' in globalThis)) return () => {};
  // The entries of this user are sent on load.
  let last = currentPartition(pipeline);
  return ({ partition, isSignedOut }) => {
    const isSignIn = !isSignedOut && partition !== last;
    last = isSignedOut ? undefined : partition;
    if (isSignIn) wake('all');
  };
}
