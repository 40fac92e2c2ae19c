import { ofType } from './validate.ts';

/** Calls a listener of the application. An error of it, also of an async one, is ignored. */
export function notify<T>(listener: (event: T) => unknown, event: T): void {
  try {
    Promise.resolve(listener(event)).catch(() => {});
  } catch {
    // An error of a listener must not fail the call.
  }
}

/** Calls listeners of the application. An error of one, also of an async one, is ignored. */
export class Emitter<T> {
  readonly #listeners = new Set<(event: T) => unknown>();

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  /** A listener that subscribes during it gets the next event first. */
  emit(event: T): void {
    for (const listener of [...this.#listeners]) notify(listener, event);
  }

  /** @returns ends the subscription. */
  subscribe(listener: (event: T) => unknown, option = 'subscribe.listener'): () => void {
    ofType('function')(listener, option);
    // The same function given twice is two subscriptions.
    const own = (event: T): unknown => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  close(): void {
    this.#listeners.clear();
  }
}
