/** What is used of a Durable Object's storage for its alarm. */
export interface AlarmStorage {
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

/** The one alarm that an object has. Several want it at different times, and the soonest gets it; times are wall time in ms. */
export class ObjectAlarm {
  readonly #storage: AlarmStorage;
  /** Reading it and setting it are two steps. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(storage: AlarmStorage) {
    this.#storage = storage;
  }

  /** It comes at `at`, or sooner. */
  by(at: number): Promise<void> {
    return this.#inTurn(async (set) => {
      if (set === null || set > at) await this.#storage.setAlarm(at);
    });
  }

  /** It comes at `at` in place of `former`, or at no time; but where somebody wants it sooner it comes then. */
  moved(former: number, at: number | undefined): Promise<void> {
    return this.#inTurn(async (set) => {
      if (at === undefined) {
        if (set === former) await this.#storage.deleteAlarm();
      } else if (set === null || set === former || set > at) await this.#storage.setAlarm(at);
    });
  }

  #inTurn(change: (set: number | null) => Promise<void>): Promise<void> {
    const turn = this.#before.then(async () => change(await this.#storage.getAlarm()));
    this.#before = turn.catch(() => {});
    return turn;
  }
}
