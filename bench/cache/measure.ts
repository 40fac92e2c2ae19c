import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium as playwright } from 'playwright';
import { chromiumOptions } from '../../test/runtimes/browsers.ts';
import { chromium } from '../../test/runtimes/installed.ts';
import { startOrigin } from './origin.ts';
import type { Asked, CacheMeasured } from './page/main.ts';

/** Measures the stale cache and its peers in a browser; `undefined` where there is no Chromium. */
export async function measureInChromium(
  asked: Asked,
): Promise<(CacheMeasured & { readonly version: string }) | undefined> {
  if (!chromium) return undefined;
  const origin = await startOrigin(await bundled(new URL('./page/main.ts', import.meta.url)));
  // With a profile of its own: without, it would keep in memory what pages store.
  const profile = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  try {
    const browser = await playwright.launchPersistentContext(profile, {
      ...chromiumOptions,
      args: [...chromiumOptions.args, '--js-flags=--expose-gc'],
    });
    try {
      const page = await browser.newPage();
      await page.goto(origin.url);
      const measured = (await page.evaluate(`bench.run(${JSON.stringify(asked)})`)) as CacheMeasured;
      return { ...measured, version: browser.browser()?.version() ?? '' };
    } finally {
      await browser.close();
    }
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    await origin.close();
  }
}

async function bundled(entry: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    minify: true,
    format: 'iife',
    globalName: 'bench',
    platform: 'browser',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}
