import type { Host } from '../core/contract.ts';
import { isPageHidden, prefersReducedData } from '../core/thrift.ts';

/** Where somebody pays for their data or wants to save it, background work that can wait comes so much less often. */
const SAVING = 4;

/**
 * Does something again and again in the background: with jitter (± 20 %), less often where the browser is asked to save
 * data, and not while the page is hidden or the host offline: then at once when it is seen, or online, again.
 *
 * @param interval In ms.
 * @param signal Ends it.
 * @param how.atOnce Whether the first time is now. Default true.
 * @param how.missed Told of each time that is left out.
 */
export function everyNowAndThen(
  interval: number,
  host: Host,
  signal: AbortSignal,
  task: () => Promise<unknown>,
  { atOnce = true, missed: told }: { readonly atOnce?: boolean; readonly missed?: () => void } = {},
): void {
  const { clock, connectivity: online, random } = host;
  const document = globalThis.document as Document | undefined;
  let cancel = (): void => {};
  let running = false;
  let missed = false;

  const later = (): void => {
    const ms = interval * (0.8 + 0.4 * random()) * (prefersReducedData() ? SAVING : 1);
    cancel();
    cancel = clock.after(ms, turn, { background: true });
  };
  const turn = (): void => {
    if (running || signal.aborted) return;
    missed = !online.state || isPageHidden();
    if (missed) told?.();
    if (missed) return;
    running = true;
    task()
      .catch(() => {})
      .finally(() => {
        running = false;
        if (!signal.aborted) later();
      });
  };
  const again = (): void => {
    if (missed) turn();
  };

  const unsubscribe = online.subscribe(again);
  document?.addEventListener('visibilitychange', again);
  signal.addEventListener(
    'abort',
    () => {
      cancel();
      unsubscribe();
      document?.removeEventListener('visibilitychange', again);
    },
    { once: true },
  );
  if (atOnce) turn();
  else later();
}
