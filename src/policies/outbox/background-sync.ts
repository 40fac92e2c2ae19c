import { withDeadline } from '../../core/clock.ts';
import type { PipelineContext } from '../../core/contract.ts';

/** What is used of a service worker's registration; not every engine has it, and types seldom do. */
interface Registration {
  readonly sync?: { register(tag: string): Promise<void> };
}

/** How long an asking may take, in ms, until the next one does not wait for it. */
const PATIENCE = 10_000;

/**
 * Asks the browser to wake the service worker when there is a network, also with all pages closed. Where there is no
 * service worker, or the engine knows nothing of it (all but Chromium's), nothing happens, and the page drains.
 *
 * @returns asks, in the background: who asks while one asking is under way is part of one more after it, as the worker may
 *   have been woken by the first already.
 * @see WICG, Web Background Synchronization.
 */
export function backgroundSync(tag: string, pipeline: PipelineContext): () => void {
  let isAsking = false;
  let isWanted = false;
  const ask = async (): Promise<void> => {
    isAsking = true;
    while (isWanted) {
      isWanted = false;
      // Refused by the user or the engine, perhaps.
      await withDeadline(PATIENCE, pipeline, register(tag)).catch(() => {});
    }
    isAsking = false;
  };
  return () => {
    if (!tag) return;
    isWanted = true;
    if (!isAsking) void ask();
  };
}

async function register(tag: string): Promise<void> {
  const { registration: own } = globalThis as { registration?: Registration };
  const registration = own ?? (await globalThis.navigator?.serviceWorker?.getRegistration());
  await (registration as Registration | undefined)?.sync?.register(tag);
}
