import { batch, clientHealth, connectivity, createFetch, health, monitor, waitUntilHealthy } from 'holdfast';

export const fetch = createFetch();
export { batch, clientHealth, connectivity, health, monitor, waitUntilHealthy };
