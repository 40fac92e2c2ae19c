import { inChromium } from '../chromium.ts';
import type { Asked, OutboxMeasured } from './page/main.ts';

/** Measures the outbox and its peers in a browser; `undefined` where there is no Chromium. */
export const measureOutbox = (
  asked: Asked,
): Promise<(OutboxMeasured & { readonly version: string }) | undefined> =>
  inChromium<OutboxMeasured>(new URL('./page/main.ts', import.meta.url), asked);
