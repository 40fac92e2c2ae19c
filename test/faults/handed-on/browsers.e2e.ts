import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SUBJECTS } from '../../contracts/handed-on.ts';
import { sideBySide } from '../side-by-side.ts';
import { type Site, startSite } from '../site.ts';
import { type Browser, browsers, type Tab } from '../worker/tabs.ts';
import type { Page } from './page/main.ts';
import { MEGABYTE, SLOW, startUpstream, type Upstream, ZIPPED } from './upstream.ts';

const STORING = ['staleCache', 'everything'] as const;
const POLL = { timeout: 60_000, interval: 20 };

sideBySide('a response that goes to the platform unread, in $name', browsers, ({ missing, launch }) => {
  const here = test.skipIf(missing !== undefined && !process.env.CI);
  let site: Site;
  let upstream: Upstream;
  let browser: Browser;
  let tab: Tab<Page>;

  beforeAll(async () => {
    upstream = await startUpstream();
    site = await startSite(
      new URL('page/main.ts', import.meta.url),
      undefined,
      new URL('page/worker.ts', import.meta.url),
    );
    if (missing && !process.env.CI) return;
    browser = await launch();
    tab = await browser.open<Page>(site.url);
    await tab.call('ready', upstream.url);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await upstream?.close();
  });

  describe.each(SUBJECTS)('a fetch with %s', (subject) => {
    const at = (path: string): string => `/${encodeURIComponent(subject)}${path}`;

    here('a response arrives whole from respondWith(), more often than there are slots', async () => {
      for (let call = 0; call < 4; call++)
        expect(await tab.call('read', at('/text'))).toEqual([200, 'hello']);
      expect(await tab.call('read', at('/slow'))).toEqual([200, SLOW]);
      expect(await tab.call('read', at('/gzip'))).toEqual([200, ZIPPED]);
      expect(await tab.call('read', at('/missing'))).toEqual([404, 'missing']);
      expect(await tab.call('read', at('/none'))).toEqual([204, '']);
      expect(await tab.call('read', at('/text'), 'HEAD')).toEqual([200, '']);
    });

    here('a response arrives whole in cache.put(), more often than there are slots', async () => {
      for (let call = 0; call < 3; call++)
        expect(await tab.call('put', subject, `${upstream.url}/text`)).toEqual([200, 'hello']);
      expect(await tab.call('put', subject, `${upstream.url}/gzip`)).toEqual([200, ZIPPED]);
    });
  });

  here('a response of 100 MB arrives whole from respondWith()', async () => {
    const [status, text] = await tab.call('size', '/bulkhead/large');
    expect([status, text]).toEqual([200, 100 * MEGABYTE]);
  });

  here('a response that the platform reads releases its slot', async ({ expect }) => {
    for (const where of ['state', 'own'] as const)
      await expect
        .poll(async () => (await tab.call(where)).slots.filter((inFlight) => inFlight > 0), POLL)
        .toEqual([]);
  });

  here.for(STORING)('is stored by a fetch with %s', async (subject, { expect }) => {
    for (const where of ['state', 'own'] as const)
      await expect
        .poll(async () => (await tab.call(where)).stored[subject], POLL)
        .toEqual(expect.arrayContaining(['/text', '/gzip']));
  });

  here('an opaque response stays the platform’s own', async () => {
    expect(await tab.call('untouched', `${upstream.url}/text`)).toEqual(['opaque', 'opaque', true]);
  });
});
