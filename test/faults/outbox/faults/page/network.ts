/** The browser's `onLine`. The origin is there all the time. */
let online = true;

Object.defineProperty(navigator, 'onLine', { configurable: true, get: () => online });

export function goOnline(): void {
  online = true;
  dispatchEvent(new Event('online'));
}

export function goOffline(): void {
  online = false;
  dispatchEvent(new Event('offline'));
}
