import {
  batch,
  clientHealth,
  connectivity,
  createFetch,
  health,
  monitor,
  waitUntilHealthy,
} from '../../src/index.ts';

export const fetch = createFetch();
export { batch, clientHealth, connectivity, health, monitor, waitUntilHealthy };
