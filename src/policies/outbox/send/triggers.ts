import type { Call, PipelineContext } from '../../../core/contract.ts';
import { currentPartition } from '../../../core/user.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import type { OutboxSettings } from '../options.ts';
import type { Respect } from './backoff.ts';

/**
 * Triggers of the outbox: load, online, visible, and a timer for missed ones. A sign-in is one, too: `onSignIn`.
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
  pipeline.onClose(() => {
    cancel();
    unsubscribe();
    document?.removeEventListener('visibilitychange', visible);
  });
}

/**
 * Another trigger: the first call of a user that has signed in. Only in a page, which has one user at a time; on a server, users
 * alternate from call to call.
 */
export function onSignIn(pipeline: PipelineContext, wake: (respect: Respect) => void): (call: Call) => void {
  if (!('document' in globalThis)) return () => {};
  // The first user is no change: the page sends their entries as it loads.
  currentPartition(pipeline);
  let seen = pipeline.userChanges();
  return ({ isSignedOut }) => {
    const changes = pipeline.userChanges();
    // Also if no call was made while this user was signed out.
    if (changes !== seen && !isSignedOut) wake('all');
    seen = changes;
  };
}

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
  // In a page this may be an element of that id.
  const { registration: own } = globalThis as { registration?: Registration };
  const registration = own?.sync ? own : await globalThis.navigator?.serviceWorker?.getRegistration();
  await (registration as Registration | undefined)?.sync?.register(tag);
}

/** The part of `navigator.storage` that is used here; only pages have `persist`. */
interface StorageManager {
  persisted?(): Promise<boolean>;
  persist?(): Promise<boolean>;
}

/**
 * Asks the browser, once, to delete nothing of this site when the disk is full: after the first accepted write, when the
 * reason is obvious to the user (Firefox asks, other browsers decide by themselves).
 *
 * @see https://storage.spec.whatwg.org/#persistence
 */
export function requestPersistence(
  { emit }: PipelineContext,
  { store, persist }: Pick<OutboxSettings, 'store' | 'persist'>,
): () => void {
  let isAsked = !persist || !store.name.startsWith('indexeddb:');
  const ask = async (storage: StorageManager): Promise<void> => {
    if (await storage.persisted?.()) return;
    const granted = await storage.persist?.();
    if (granted !== undefined) emit?.({ type: 'storage-persistence', granted });
  };
  return () => {
    if (isAsked) return;
    isAsked = true;
    const { storage } = (globalThis.navigator ?? {}) as { storage?: StorageManager };
    // If the browser refuses, entries are kept as long as other data.
    if (storage) ask(storage).catch(() => {});
  };
}
