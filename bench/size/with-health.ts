import { createFetch } from 'holdfast';
import { batch } from 'holdfast/batch';
import { clientHealth, connectivity, health, monitor, waitUntilHealthy } from 'holdfast/health';

export const fetch = createFetch();
export { batch, clientHealth, connectivity, health, monitor, waitUntilHealthy };
