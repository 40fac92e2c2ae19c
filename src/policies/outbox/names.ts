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
const owners = new Map<string, Owner>();

/**
 * The same over a store with a lock of its own: another store of its kind is another database, or the same one after the
 * object that had it was evicted.
 */
const ownersOver = new WeakMap<AtomicStore, Map<string, Owner>>();

/**
 * Gives an outbox its name. A newer one that could not be told from the one before takes the name over, as a module does
 * that a development server reloads: the older one hands its writes on, as another tab would.
 *
 * @param retire Called when a newer one takes over.
 * @throws {ConfigurationError} if another outbox, with other entries or another target, has the name.
 */
export function takeName(home: Home, store: AtomicStore, retire: () => void): void {
  const taken = store.lock ? ownersFor(store) : owners;
  const { name, host, baseUrl, credentials } = home;
  const origins = credentials({}).map((each) => each.origins);
  const owner: Owner = { store, target: JSON.stringify([baseUrl, origins]), retire };
  const before = taken.get(name);
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
  taken.set(name, owner);
  const leave = (): void => {
    if (taken.get(name) === owner) taken.delete(name);
  };
  home.onClose(leave);
}

function ownersFor(store: AtomicStore): Map<string, Owner> {
  const own = ownersOver.get(store) ?? new Map<string, Owner>();
  ownersOver.set(store, own);
  return own;
}
