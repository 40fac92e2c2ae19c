import { expect } from 'vitest';
import { inEachBrowser } from './stage.ts';

inEachBrowser((here) => {
  here(
    'a page that is left while it uses the database does not keep it from other pages',
    async ({ origin, open }) => {
      const tab = await open();
      await tab.call('goOffline');
      await tab.call('begin', { origin: origin.url });
      await tab.call('give', { id: 'before' });
      await tab.call('readAndGo', 'about:blank');
      const next = await open();
      await next.call('begin', { origin: origin.url });
      expect(await next.call('give', { id: 'after' })).toMatchObject({ status: 201 });
      expect(await next.call('settled', ['before'])).toMatchObject({ before: 'delivered' });
      expect(await origin.applied()).toEqual(['before', 'after']);
    },
  );
});
