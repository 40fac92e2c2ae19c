import { createFetch, jsonLines, telemetry } from '../../src/index.ts';

export const fetch = createFetch({ onEvent: jsonLines(), telemetry: telemetry({ origins: [] }) });
