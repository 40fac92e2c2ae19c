import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium as playwright } from 'playwright';
import puppeteer from 'puppeteer-core';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium, firefox, missingForWebkit } from '../../tools/runtimes/installed.ts';
import { launchWebKit } from '../../tools/runtimes/webkit.ts';
import { type Browser, scripted, type Tab } from './tab.ts';

interface Known {
  readonly name: string;
  readonly missing: string | undefined;
  launch(): Promise<Browser>;
}

export const browsers: readonly Known[] = [
  { name: 'Chromium', missing: chromium ? undefined : 'no Chromium', launch: launchChromium },
  { name: 'Firefox', missing: firefox ? undefined : 'no Firefox', launch: launchFirefox },
  { name: 'WebKit', missing: missingForWebkit(), launch: webkit },
];

/** Leaving ends the whole browser: what its pages have stored is read again from the disk. */
export async function launchChromium(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'holdfast-chromium-'));
  let running: BrowserContext | undefined;
  async function leave(): Promise<void> {
    await running?.close();
    running = undefined;
  }
  return {
    async open(url) {
      running ??= await playwright.launchPersistentContext(profile, chromiumOptions);
      const page = await running.newPage();
      await page.goto(url);
      return {
        reload: async () => void (await page.reload()),
        read: async (region) =>
          (await page.getByRole('region', { name: region, exact: true }).allInnerTexts()).join(),
        click: (name, role = 'button') => page.getByRole(role, { name, exact: true }).first().click(),
        fill: (label, text) => page.getByLabel(label, { exact: true }).fill(text),
        choose: async (label, option) =>
          void (await page.getByLabel(label, { exact: true }).selectOption(option)),
        value: (label) => page.getByLabel(label, { exact: true }).inputValue(),
      };
    },
    leave,
    async close() {
      await leave();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function launchFirefox(): Promise<Browser> {
  const running = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox ?? '',
    headless: true,
    timeout: 60_000,
  });
  let leave = async (): Promise<void> => {};
  return {
    async open(url): Promise<Tab> {
      const page = await running.newPage();
      leave = () => page.close();
      await page.goto(url);
      return scripted(
        (body, ...args) => page.evaluate(new Function(body) as (...args: string[]) => unknown, ...args),
        async () => void (await page.reload()),
      );
    },
    leave: () => leave(),
    close: () => running.close(),
  };
}

async function webkit(): Promise<Browser> {
  const running = await launchWebKit();
  return {
    async open(url) {
      await running.open(url);
      return scripted(running.evaluate, () => running.open(url));
    },
    leave: () => running.open('about:blank'),
    close: running.close,
  };
}
