import type { Home } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { AtomicStore } from '../../core/store.ts';

/** An outbox that has its name, and so sends its entries. */
interface Owner {
  readonly store: AtomicStore;
  /** Where its client sends, and with whose credentials. */
  readonly target: string;
  /** Sends nothing more: another outbox does. */
  retire(): void;
}

/** Two outboxes of one name in a realm would send each other's entries through the wrong pipeline. */
export class Names {
  readonly #owners = new Map<string, Owner>();
  /**
   * The same over a store with a lock of its own: another store of its kind is another database, or the same one after the
   * object that had it was evicted.
   */
  readonly #ownersOver = new WeakMap<AtomicStore, Map<string, Owner>>();

  /**
   * Gives an outbox its name. A newer one that could not be told from the one before takes the name over, as a module does
   * that a development server reloads: the older one hands its writes on, as another tab would.
   *
   * @param retire Called when a newer one takes over.
   * @throws {ConfigurationError} if another outbox, with other entries or another target, has the name.
   */
  take({ name, host, baseUrl, credentials, onClose }: Home, store: AtomicStore, retire: () => void): void {
    const owners = store.lock ? this.#over(store) : this.#owners;
    const origins = credentials({}).map((each) => each.origins);
    const owner: Owner = { store, target: JSON.stringify([baseUrl, origins]), retire };
    const before = owners.get(name);
    if (before) {
      // What both accept lies in one place, and each hears of what the other does.
      const isShared = store.durable && host.sharesIO && before.store.name === store.name && !store.lock;
      if (!isShared || before.target !== owner.target)
        throw new ConfigurationError(
          'name',
          name,
          `two clients with an outbox are both called '${name}': give each a name (createClient({ name })), or close the first`,
        );
      before.retire();
    }
    owners.set(name, owner);
    onClose(() => {
      if (owners.get(name) === owner) owners.delete(name);
    });
  }

  #over(store: AtomicStore): Map<string, Owner> {
    const own = this.#ownersOver.get(store) ?? new Map<string, Owner>();
    this.#ownersOver.set(store, own);
    return own;
  }
}
