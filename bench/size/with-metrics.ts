import { createFetch, metrics } from 'holdfast';

export const fetch = createFetch({ onEvent: metrics().receive });
