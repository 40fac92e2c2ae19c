import type { Home } from '../../core/contract.ts';

/** Whose calls the application makes just now; nobody's, where it cannot say: before sign-in. */
export function signedIn(home: Home): string | undefined {
  try {
    return home.partition();
  } catch {
    return undefined;
  }
}
