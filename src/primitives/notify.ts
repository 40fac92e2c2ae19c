/** Calls a listener of the application. An error of it, also of an async one, is ignored. */
export function notify<T>(listener: (event: T) => unknown, event: T): void {
  try {
    Promise.resolve(listener(event)).catch(() => {});
  } catch {
    // An error of a listener must not fail the call.
  }
}
