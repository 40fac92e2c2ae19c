/** Takes the pictures of the README: the shop of the playground before, in and after a tunnel, in Chromium. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { chromium, type Page } from 'playwright';
import { startOrigin, startPlayground } from '../test/playground/processes.ts';
import { chromiumOptions } from '../tools/runtimes/browsers.ts';

const FOLDER = 'docs/pictures';
/** As wide as a phone: three of them stand side by side in the README. */
const WIDTH = 390;
const HEIGHT = 510;

const origin = await startOrigin();
const ports = ['--origin-port', `${origin.port}`, '--control-port', `${origin.controlPort}`];
const playground = await startPlayground('--no-origin', ...ports);
const browser = await chromium.launch(chromiumOptions);
try {
  const context = await browser.newContext({
    viewport: { width: WIDTH, height: 2 * HEIGHT },
    colorScheme: 'light',
    deviceScaleFactor: 1.5,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.goto(playground.url);
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);

  await press('Heal');
  await page.getByText('live').first().waitFor();
  await press('Disconnect');
  await page
    .getByText(/^saved \d+ s ago$/)
    .first()
    .waitFor();
  await picture(page, 'stale', '#shelf-title');
  await press('Order Honey');
  await page.getByText('queued', { exact: true }).first().waitFor();
  await picture(page, 'queued', '#orders-title');
  await press('Heal');
  await page.getByText('received once, applied once').first().waitFor();
  await picture(page, 'delivered', '#orders-title');
} finally {
  await browser.close();
  await playground.close();
  await origin.close();
}

/** Chromium makes WebP itself. @param top Stands below the bar of the server. */
async function picture(page: Page, name: string, top: string): Promise<void> {
  const bar = await page.locator('.server').evaluate((element) => element.clientHeight);
  await page.locator(top).evaluate((element, bar) => {
    scrollTo(0, scrollY + element.getBoundingClientRect().top - bar - 20);
  }, bar);
  const session = await page.context().newCDPSession(page);
  const y = await page.evaluate(() => scrollY);
  const { data } = await session.send('Page.captureScreenshot', {
    format: 'webp',
    quality: 60,
    clip: { x: 0, y, width: WIDTH, height: HEIGHT, scale: 1 },
  });
  const file = Buffer.from(data, 'base64');
  writeFileSync(`${FOLDER}/${name}.webp`, file);
  console.log(`${name}.webp: ${(file.length / 1000).toFixed(1)} kB`);
}
