import { createFetch, telemetry } from 'holdfast';
import { jsonLines } from 'holdfast/log';

export const fetch = createFetch({ onEvent: jsonLines(), telemetry: telemetry({ origins: [] }) });
