import type { Host } from '../core/contract.ts';
import { isPageHidden, prefersReducedData } from '../core/host.ts';

/** With Save-Data, background work is this many times less often. */
const REDUCED_DATA_FACTOR = 4;

/**
 * Repeats a task in the background: with jitter (± 20 %), less often if the browser is asked to save
 * data, and not while the page is hidden or the host offline: then at once when it is visible, or online, again.
 *
 * @param interval In ms.
 * @param signal Ends it.
 * @param how.atOnce Whether the first time is now. Default true.
 * @param how.missed Called for each time that is left out.
 */
export function pollInBackground(
  interval: number,
  host: Host,
  signal: AbortSignal,
  task: () => Promise<unknown>,
  { atOnce = true, missed: onMissed }: { readonly atOnce?: boolean; readonly missed?: () => void } = {},
): void {
  const { clock, connectivity: online, random } = host;
  const document = globalThis.document as Document | undefined;
  let cancel = (): void => {};
  let running = false;
  let missed = false;

  const schedule = (): void => {
    const ms = interval * (0.8 + 0.4 * random()) * (prefersReducedData() ? REDUCED_DATA_FACTOR : 1);
    cancel();
    cancel = clock.after(ms, poll, { background: true });
  };
  const poll = (): void => {
    if (running || signal.aborted) return;
    missed = !online.state || isPageHidden();
    if (missed) onMissed?.();
    if (missed) return;
    running = true;
    task()
      .catch(() => {})
      .finally(() => {
        running = false;
        if (!signal.aborted) schedule();
      });
  };
  const retry = (): void => {
    if (missed) poll();
  };

  const unsubscribe = online.subscribe(retry);
  document?.addEventListener('visibilitychange', retry);
  signal.addEventListener(
    'abort',
    () => {
      cancel();
      unsubscribe();
      document?.removeEventListener('visibilitychange', retry);
    },
    { once: true },
  );
  if (atOnce) poll();
  else schedule();
}
