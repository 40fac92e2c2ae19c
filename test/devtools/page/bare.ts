/** The same client without the devtools. */
import { createClient } from 'holdfast';

const api = createClient({ baseUrl: location.origin });
Object.assign(globalThis, { get: (path: string) => api.get(path) });
