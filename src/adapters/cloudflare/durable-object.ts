import { ConfigurationError } from '../../primitives/failure.ts';
/** The used part of a Durable Object's storage for its alarm. */
export interface AlarmStorage {
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

/** The one alarm of an object, shared by several tasks: it is set for the soonest. Times are wall time in ms. */
export class ObjectAlarm {
  readonly #storage: AlarmStorage;
  /** The change in progress: reading the alarm and setting it are two steps. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(storage: AlarmStorage) {
    this.#storage = storage;
  }

  /** Sets the alarm to `at` unless it is sooner. */
  ensureBefore(at: number): Promise<void> {
    return this.#inTurn(async (set) => {
      if (set === null || set > at) await this.#storage.setAlarm(at);
    });
  }

  /** Moves the alarm from `former` to `at` (`undefined`: deletes it), unless another task has set a sooner one. */
  reschedule(former: number, at: number | undefined): Promise<void> {
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

/** The class of a Durable Object. */
// biome-ignore lint/suspicious/noExplicitAny: its arguments have the platform's own types
export type ObjectClass<Env, Instance> = abstract new (ctx: any, env: Env) => Instance;

/** As the class that a mixin extends. */
// biome-ignore lint/suspicious/noExplicitAny: TypeScript wants it of the constructor of a mixin (TS2545)
export type Mixable = abstract new (...args: any[]) => object;

export function mixable(Base: unknown, option: string): Mixable {
  if (typeof Base === 'function') return Base as Mixable;
  throw new ConfigurationError(option, Base, "expected `DurableObject` of 'cloudflare:workers'");
}
