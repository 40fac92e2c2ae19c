import { inChromium } from '../chromium.ts';
import type { Asked, CacheMeasured } from './page/main.ts';

/** Measures the stale cache and its peers in a browser; `undefined` where there is no Chromium. */
export const measureInChromium = (
  asked: Asked,
): Promise<(CacheMeasured & { readonly version: string }) | undefined> =>
  inChromium<CacheMeasured>(new URL('./page/main.ts', import.meta.url), asked);
