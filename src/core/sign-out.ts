import { oneOf, readOptions } from './check.ts';
import { type Policy, type SignedOut, type SignOut, type SignOutOptions, traitsOf } from './contract.ts';
import { ConfigurationError, isFailure, StorageError } from './errors.ts';

/** What a policy that holds something of a user says of the end of it. */
export const signsOut = (part: SignOut['part']): SignOut => ({ part, all: signOut });

/**
 * Ends what the policies hold of a user, in all tabs, one after the other: outbox, cache, tokens.
 *
 * @throws {ConfigurationError} if there is an outbox, and nothing is said of its writes.
 * @throws {StorageError} if a store failed; the others have still been asked.
 */
async function signOut(
  policies: readonly Policy[],
  partition: string | undefined,
  options: SignOutOptions,
): Promise<SignedOut> {
  const { undelivered } = readOptions<{ undelivered: SignOutOptions['undelivered'] }>(
    'signOut',
    options,
    { undelivered: oneOf('keep', 'remove') },
    { undelivered: undefined },
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
    const part = traitsOf(policy).signOut?.part({ partition, undelivered: undelivered ?? 'keep' });
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
