import type { Home } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { AtomicStore } from '../../core/store.ts';

/** An outbox that is open under a name. */
interface Owner {
  readonly store: AtomicStore;
  /** Where its client sends, and with whose credentials. */
  readonly target: string;
  /** Sends nothing more: a newer outbox does. */
  retire(): void;
  /** Sends again: the newer one was closed. */
  reclaim(): void;
}

/** By name, the newest last; only the last one sends. */
type Owners = Map<string, Owner[]>;

/** Shared by the bundles of a page: each has its own copy of this module. */
const SHARED = Symbol.for('holdfast outboxes 1');

/** For stores with a lock of their own: another store object is another database, or the same one after an eviction. */
const ownersOver = new WeakMap<AtomicStore, Owners>();

function ownersFor(store: AtomicStore): Owners {
  if (!store.lock) {
    const shared = globalThis as { [SHARED]?: Owners };
    shared[SHARED] ??= new Map();
    return shared[SHARED];
  }
  const own = ownersOver.get(store) ?? new Map();
  ownersOver.set(store, own);
  return own;
}

/** IndexedDB has one database of a name; files of one name may be many. */
const isSameDatabase = (a: AtomicStore, b: AtomicStore): boolean =>
  a === b || (a.withinOrigin === true && b.withinOrigin === true && a.name === b.name);

/**
 * Gives an outbox its name: two of one name in a realm would send each other's entries through the wrong pipeline. A newer one
 * with the same database and target takes the name over, as a module does that a development server reloads. The older one hands
 * its writes on, as another tab would, until the newer one is closed.
 *
 * @param duty Called when another one takes over, and when it has gone.
 * @throws {ConfigurationError} if another outbox, with other entries or another target, has the name.
 */
export function takeName(
  { name, host, baseUrl, credentials, onClose }: Home,
  store: AtomicStore,
  duty: Pick<Owner, 'retire' | 'reclaim'>,
): void {
  const byName = ownersFor(store);
  const owners = byName.get(name) ?? [];
  const origins = credentials({}).map((each) => each.origins);
  const owner: Owner = { store, target: JSON.stringify([baseUrl, origins]), ...duty };
  const before = owners.at(-1);
  if (before) {
    const isShared = store.durable && host.sharesIO && !store.lock && isSameDatabase(before.store, store);
    if (!isShared || before.target !== owner.target)
      throw new ConfigurationError(
        'name',
        name,
        `two clients with an outbox are both called '${name}': give each a name (createClient({ name })), or close the first`,
      );
    before.retire();
  }
  owners.push(owner);
  byName.set(name, owners);
  onClose(() => {
    const wasLast = owners.at(-1) === owner;
    owners.splice(owners.indexOf(owner), 1);
    if (owners.length === 0) byName.delete(name);
    else if (wasLast) owners.at(-1)?.reclaim();
  });
}
