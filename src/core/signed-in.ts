import type { Home } from './contract.ts';

/** The partition of the signed-in user; `undefined` if no user is signed in. */
export function signedIn(home: Home): string | undefined {
  try {
    return home.partition();
  } catch {
    return undefined;
  }
}

/**
 * Watches a user over a wait.
 *
 * @returns whether `partition` is signed in, and no other user was seen since, not even for a moment.
 */
export function stays(partition: string, home: Home): () => boolean {
  const isNow = (): boolean => (signedIn(home) ?? '') === partition;
  const wasThen = isNow();
  const before = home.userChanges();
  return () => wasThen && isNow() && home.userChanges() === before;
}
