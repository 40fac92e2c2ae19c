import type { PipelineContext } from '../../core/contract.ts';
import type { AtomicStore } from '../../core/store.ts';
import { ConfigurationError } from '../../primitives/failure.ts';

/** An outbox that is open under a name. */
interface Owner {
  readonly store: AtomicStore;
  /** The base URL, the origins with credentials, and the constant partition of its client. */
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

function ownersWithin(scope: object): Owners {
  const realm = globalThis as { [SHARED]?: WeakMap<object, Owners> };
  realm[SHARED] ??= new WeakMap();
  const owners = realm[SHARED].get(scope) ?? new Map();
  realm[SHARED].set(scope, owners);
  return owners;
}

/** IndexedDB has one database of a name; several files may have one name. */
const isSameDatabase = (a: AtomicStore, b: AtomicStore): boolean =>
  a === b || (a.withinOrigin === true && b.withinOrigin === true && a.name === b.name);

/**
 * Gives an outbox its name: two of one name in a realm would send each other's entries through the wrong pipeline. A newer one
 * with the same database and target takes the name over (hot reload of a module). The older one forwards its writes, as another tab
 * would, until the newer one is closed.
 *
 * @param duty Called when another one takes over, and when it has gone.
 * @throws {ConfigurationError} if another outbox, with other entries or another target, has the name.
 */
export function takeName(
  { name, host, baseUrl, credentials, onClose, isPartitionConstant, partition }: PipelineContext,
  store: AtomicStore,
  duty: Pick<Owner, 'retire' | 'reclaim'>,
): void {
  const byName = ownersWithin(store.scope ?? globalThis);
  const owners = byName.get(name) ?? [];
  const origins = credentials({}).map((each) => each.origins);
  // A server may have a client for each user.
  const user = isPartitionConstant ? partition() : undefined;
  const owner: Owner = { store, target: JSON.stringify([baseUrl, origins, user]), ...duty };
  const before = owners.at(-1);
  if (before) {
    const isShared = store.durable && host.canShareIO && isSameDatabase(before.store, store);
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
