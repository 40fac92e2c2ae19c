/**
 * Registers the service worker. A new version waits until the user asks for it, or until all tabs are closed.
 *
 * @param update Shown if a new version waits.
 */
export async function installWorker(update: HTMLElement): Promise<void> {
  if (!import.meta.env.PROD || !navigator.serviceWorker) return;
  const isFirst = navigator.serviceWorker.controller === null;
  navigator.serviceWorker.addEventListener('controllerchange', () => isFirst || location.reload());
  const registration = await navigator.serviceWorker.register('/sw.js', { type: 'module' });

  const offer = (): void => {
    update.hidden = !registration.waiting;
    registration.installing?.addEventListener('statechange', offer);
  };
  update.addEventListener('click', () => registration.waiting?.postMessage('take over'));
  registration.addEventListener('updatefound', offer);
  offer();
}
