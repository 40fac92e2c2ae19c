import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium as playwright } from 'playwright';
import { chromiumOptions } from '../tools/runtimes/browsers.ts';
import { chromium } from '../tools/runtimes/installed.ts';
import { startOrigin } from './cache/origin.ts';

/**
 * Runs what a script exports as `run` in a page, and gives what it gives; `undefined` where there is no Chromium.
 *
 * @param asked What `run` is given, as plain data.
 */
export async function inChromium<Given>(
  script: URL,
  asked: unknown,
): Promise<(Given & { readonly version: string }) | undefined> {
  if (!chromium) return undefined;
  const origin = await startOrigin(await bundled(script));
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
      const given = (await page.evaluate(`bench.run(${JSON.stringify(asked)})`)) as Given;
      return { ...given, version: browser.browser()?.version() ?? '' };
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
