import { defineBrowserProvider } from '@vitest/browser';
import { playwright } from '@vitest/browser-playwright';
import type { BrowserProviderOption, TestProject } from 'vitest/node';
import { type Browser, chromiumOptions, launch } from '../browsers.ts';

export const chromium = (): BrowserProviderOption => playwright({ launchOptions: chromiumOptions });
export const firefox = (): BrowserProviderOption => provider('firefox');
export const webkit = (): BrowserProviderOption => provider('webkit');

/** Vitest's own providers cannot drive the Firefox and the WebKit that a distribution ships. All that it asks of one is this. */
function provider(name: 'firefox' | 'webkit'): BrowserProviderOption {
  return defineBrowserProvider({
    name: `installed-${name}`,
    supportedBrowser: [name],
    providerFactory(project) {
      ignoreViewport(project);
      let browser: Promise<Browser> | undefined;
      return {
        name: `installed-${name}`,
        supportsParallelism: false,
        getCommandsContext: () => ({}),
        async openPage(_session, url) {
          browser ??= launch[name]();
          await (await browser).open(url);
        },
        async close() {
          await (await browser)?.close();
          browser = undefined;
        },
      };
    },
  });
}

/** Vitest sets the size of the page before each file and takes a provider without that command for broken. */
function ignoreViewport({ browser }: TestProject): void {
  type Register = (command: string, run: () => Promise<void>) => void;
  (browser as { registerCommand: Register } | undefined)?.registerCommand(
    '__vitest_viewport',
    async () => {},
  );
}
