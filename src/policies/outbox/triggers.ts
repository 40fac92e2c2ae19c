import type { Home } from '../../core/contract.ts';

/**
 * Occasions to look after the outbox: loading, coming online, becoming visible, and a timer for whatever those miss.
 *
 * @param wake `eager`: something has changed, so waits that no origin asked for are over.
 */
export function whenever(home: Home, every: number, wake: (eager: boolean) => void): void {
  const { clock, online } = home.host;
  let cancel = (): void => {};
  const tick = (): void => {
    wake(false);
    cancel = clock.after(every, tick, { background: true });
  };
  // Not at once: the application may still be setting itself up.
  cancel = clock.after(0, tick, { background: true });
  const unsubscribe = online.subscribe((up) => up && wake(true));
  const document = globalThis.document as Document | undefined;
  const visible = (): void => {
    if (document?.visibilityState === 'visible') wake(true);
  };
  document?.addEventListener('visibilitychange', visible);
  home.signal.addEventListener(
    'abort',
    () => {
      cancel();
      unsubscribe();
      document?.removeEventListener('visibilitychange', visible);
    },
    { once: true },
  );
}
