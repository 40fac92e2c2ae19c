import { addFacts, ConfigurationError, isFailure } from '../primitives/failure.ts';
import { oneOf, readSettings, wellFormedString } from '../primitives/validate.ts';
import {
  type Partition,
  type PipelineContext,
  type Policy,
  type SignedOut,
  type SignOutOptions,
  traitsOf,
  type Users,
} from './contract.ts';
import { StorageError } from './errors.ts';

/** The partition of the signed-in user; `undefined` if no user is signed in. */
export function currentPartition(pipeline: PipelineContext): string | undefined {
  try {
    return pipeline.partition();
  } catch {
    return undefined;
  }
}

/**
 * Watches a user over a wait.
 *
 * @returns whether `partition` is signed in, and no other user was seen since, not even for a moment.
 */
export function watchUser(partition: string, pipeline: PipelineContext): () => boolean {
  const isNow = (): boolean => (currentPartition(pipeline) ?? '') === partition;
  const wasThen = isNow();
  const before = pipeline.userChanges();
  return () => wasThen && isNow() && pipeline.userChanges() === before;
}

type Listener = (partition: string) => void;

/** By pipeline. */
const listeners = new WeakMap<PipelineContext, Set<Listener>>();

/** Calls a listener when a user has new credentials: entries that wait for them may go on. */
export function onCredentials(pipeline: PipelineContext, listener: Listener): void {
  const known = listeners.get(pipeline) ?? new Set();
  listeners.set(pipeline, known.add(listener));
}

/** Emits that a user has new credentials. @param partition The user. */
export function notifyCredentials(pipeline: PipelineContext, partition: string): void {
  for (const listener of listeners.get(pipeline) ?? []) listener(partition);
}

/**
 * Clears the data of a user, in all tabs, one policy after the other: outbox, cache, tokens.
 *
 * @throws {ConfigurationError} if there is an outbox and no `undelivered` option.
 * @throws {StorageError} if a store failed; the others are cleared all the same.
 */
async function signOut(
  policies: readonly Policy[],
  partition: string | undefined,
  options: SignOutOptions,
): Promise<SignedOut> {
  const { undelivered } = readSettings(
    'signOut',
    { undelivered: [undefined, oneOf('keep', 'remove')] },
    options,
  );
  if (undelivered === undefined && policies.some((policy) => policy.name === 'outbox'))
    throw new ConfigurationError(
      'signOut.undelivered',
      undelivered,
      "'keep' lets writes wait for the next sign-in of this user, 'remove' loses them",
    );
  let report: SignedOut = { undelivered: 0, cached: 0 };
  if (partition === undefined || partition === '') return report;
  const failures: unknown[] = [];
  for (const policy of policies) {
    const part = traitsOf(policy).signOut?.({ partition, undelivered: undelivered ?? 'keep' });
    await part?.then(
      (counts) => {
        report = { ...report, ...counts };
      },
      (error) => failures.push(error),
    );
  }
  const [failure] = failures;
  if (failure !== undefined)
    throw isFailure(failure) ? failure : new StorageError(`signOut failed: ${failure}`, { cause: failure });
  return report;
}

/** The signed-in user, named once: by the application, or by a policy that knows the user. */
export function usersOf(policies: readonly Policy[], given: Partition): Users {
  const namer = policies.find((policy) => traitsOf(policy).partition);
  if (namer && given !== undefined)
    throw new ConfigurationError('partition', given, `'${namer.name}' says it already; name it once`);
  const partition = namer ? traitsOf(namer).partition : given;
  const needing = policies.find((policy) => traitsOf(policy).needsPartition);
  if (needing && partition === undefined)
    throw new ConfigurationError('partition', partition, `'${needing.name}' needs it: whose data is this?`);
  const isConstant = typeof partition !== 'function';
  let last: unknown;
  let changes = 0;
  const current = (): string | undefined => {
    if (partition === undefined) return '';
    const named = isConstant ? partition : askedFrom(partition);
    if (named !== last) changes++;
    last = named;
    if (named === undefined) return undefined;
    // An empty name would be shared by all users that are not known yet.
    if (typeof named !== 'string' || named === '')
      throw new ConfigurationError(
        'partition',
        named,
        "expected an id that is not empty, 'public', or undefined while no user is signed in",
      );
    return wellFormedString(named, 'partition');
  };
  if (isConstant) current();
  return {
    current,
    facts: {
      partition() {
        const named = current();
        if (named !== undefined) return named;
        throw new ConfigurationError('partition', named, 'no user is signed in');
      },
      isPartitionConstant: isConstant,
      userChanges: () => changes,
      credentials: (of) =>
        policies.flatMap((policy) => {
          const { option, credentials } = traitsOf(policy);
          return credentials && of[option] !== false ? [credentials] : [];
        }),
    },
    signOut: (options) => signOut(policies, current(), options),
  };
}

function askedFrom(partition: () => string | undefined): string | undefined {
  try {
    return partition();
  } catch (cause) {
    const error = new ConfigurationError(
      'partition',
      partition,
      'it threw; undefined says that no user is signed in',
    );
    addFacts(error, { cause });
    throw error;
  }
}
