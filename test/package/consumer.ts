/** Compiled beside the installed package, as strictly as a user may ask for. */
import { createFetch } from 'holdfast';

export const resilient: typeof fetch = createFetch();
