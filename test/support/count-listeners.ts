/** Counts the listeners on a signal; the platform itself removes those with `once`. */
export function countListeners(signal: AbortSignal): { listeners(): number } {
  const kept = new Map<unknown, boolean>();
  const add = signal.addEventListener;
  const remove = signal.removeEventListener;
  signal.addEventListener = (type: string, listener: never, options?: AddEventListenerOptions) => {
    kept.set(listener, options?.once === true);
    add.call(signal, type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: never) => {
    kept.delete(listener);
    remove.call(signal, type, listener);
  };
  return { listeners: () => [...kept.values()].filter((once) => !(once && signal.aborted)).length };
}
