import type { Clock } from './clock.ts';
import { notify } from './emitter.ts';

/** How long `close()` waits for background work, in ms. */
const CLOSE_TIMEOUT = 10_000;

type Takes = (work: Promise<unknown>) => void;

/** The work of a pipeline that outlives its calls. Policies that have such work bring it. */
export class Background {
  readonly #underWay = new Set<Promise<unknown>>();

  /**
   * Registers work also here, so that `close()` waits for it.
   *
   * @param taken What the application gives: `ctx.waitUntil`.
   * @returns the `waitUntil` of a call. Work that fails is no error of the runtime.
   */
  registering(taken: Takes): Takes {
    return (work) => {
      const ended = work.catch(() => {}).finally(() => this.#underWay.delete(ended));
      this.#underWay.add(ended);
      // An event of a service worker that is over takes no more work, and throws.
      notify(taken, ended);
    };
  }

  /** Waits for all of it, but not longer for a store that hangs. */
  async ended(clock: Clock): Promise<void> {
    let cancel = (): void => {};
    const timeout = new Promise<void>((give) => {
      cancel = clock.after(CLOSE_TIMEOUT, give, { background: true });
    });
    await Promise.race([Promise.all(this.#underWay), timeout]);
    cancel();
  }
}
