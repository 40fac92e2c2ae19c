import { createFetch, jsonLines, telemetry } from 'holdfast';

export const fetch = createFetch({ onEvent: jsonLines(), telemetry: telemetry({ origins: [] }) });
