import type { Home } from '../../core/contract.ts';

/** What is used of a service worker's registration; not every engine has it, and types seldom do. */
interface Registration {
  readonly sync?: { register(tag: string): Promise<void> };
}

/** How long one asking is enough, in ms: many writes need not ask for the same. */
const ONCE_A = 1_000;

/**
 * Asks the browser to wake the service worker when there is a network, also with all pages closed. Where there is no
 * service worker, or the engine knows nothing of it (all but Chromium's), nothing happens, and the page drains.
 *
 * @returns asks, in the background.
 * @see WICG, Web Background Synchronization.
 */
export function backgroundSync(tag: string, { host }: Home): () => void {
  let asked = Number.NEGATIVE_INFINITY;
  return () => {
    const now = host.clock.ticks();
    if (!tag || now - asked < ONCE_A) return;
    asked = now;
    register(tag).catch(() => {
      // Refused by the user or the engine.
    });
  };
}

async function register(tag: string): Promise<void> {
  const { registration: own } = globalThis as { registration?: Registration };
  const registration = own ?? (await globalThis.navigator?.serviceWorker?.getRegistration());
  await (registration as Registration | undefined)?.sync?.register(tag);
}
