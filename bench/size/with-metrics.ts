import { createFetch } from 'holdfast';
import { metrics } from 'holdfast/metrics';

export const fetch = createFetch({ onEvent: metrics().receive });
