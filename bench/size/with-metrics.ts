import { createFetch, metrics } from '../../src/index.ts';

export const fetch = createFetch({ onEvent: metrics().hear });
