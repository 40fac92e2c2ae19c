import type { PipelineContext } from '../../core/contract.ts';
import { withDeadline } from '../../primitives/clock.ts';

/** The part of a service worker's registration that is used here; not every engine has it, and types seldom do. */
interface Registration {
  readonly sync?: { register(tag: string): Promise<void> };
}

/** How long one registration may take, in ms, before the next one begins. */
const SYNC_TIMEOUT = 10_000;

/**
 * Asks the browser to wake the service worker when there is a network, also with all pages closed. Without a
 * service worker, or without Background Sync (all engines but Chromium's), nothing happens, and the page drains.
 *
 * @returns registers the sync in the background. Calls during a registration share one more after it, as the worker may have
 *   been woken by the first already.
 * @see WICG, Web Background Synchronization.
 */
export function backgroundSync(tag: string, pipeline: PipelineContext): () => void {
  let isRunning = false;
  let isWanted = false;
  const ask = async (): Promise<void> => {
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      // The user or the engine may have refused.
      await withDeadline(SYNC_TIMEOUT, pipeline, register(tag)).catch(() => {});
    }
    isRunning = false;
  };
  return () => {
    if (!tag) return;
    isWanted = true;
    if (!isRunning) void ask();
  };
}

async function register(tag: string): Promise<void> {
  const { registration: own } = globalThis as { registration?: Registration };
  const registration = own ?? (await globalThis.navigator?.serviceWorker?.getRegistration());
  await (registration as Registration | undefined)?.sync?.register(tag);
}
