/** Tells a listener of the application's. It fails nobody: neither where it throws, nor where it is async, whatever its type says. */
export function notify<T>(listener: (news: T) => unknown, news: T): void {
  try {
    Promise.resolve(listener(news)).catch(() => {});
  } catch {
    // It is none of ours.
  }
}
