import { type Aborter, createAborter } from './abort.ts';

/**
 * The end of a pipeline. Its signal is made at first use: a Worker may make none while it starts, and one that was made
 * for one request is of no use to another.
 */
export class ShutdownSignal {
  readonly #listeners = new Set<(reason: unknown) => void>();
  #aborter: Aborter | undefined;
  #end: { readonly reason: unknown } | undefined;

  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  get signal(): AbortSignal {
    this.#aborter ??= createAborter();
    if (this.#end) this.#aborter.abort(this.#end.reason);
    return this.#aborter.signal;
  }

  /** @returns ends the subscription. */
  subscribe(listener: (reason: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(reason: unknown): void {
    if (this.#end) return;
    this.#end = { reason };
    this.#aborter?.abort(reason);
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }
}
