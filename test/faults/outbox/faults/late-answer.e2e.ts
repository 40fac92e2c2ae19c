import { expect } from 'vitest';
import { inEachBrowser } from './stage.ts';

inEachBrowser((here) => {
  here(
    'a write that takes effect after its timeout takes effect once, and result() has its response',
    async (stage) => {
      const { origin } = stage;
      await origin.behave({ delay: 1_000, times: 1 });
      const tab = await stage.open();
      // As long as the first is in process the origin responds 409, how often depends on the
      // jitter.
      await tab.call('begin', { origin: origin.url, attempt: '300ms', onConflict: 'again' });
      expect(await tab.call('give', { id: 'late' })).toMatchObject({ queued: true, id: 'late' });
      expect(await tab.call('result', 'late')).toMatch(/^201 {"ok":true/);
      const [write, ...more] = await origin.ledger();
      expect(more).toEqual([]);
      expect(write).toMatchObject({ applied: 1 });
      expect(write?.seen).toBeGreaterThan(1);
      expect(await tab.call('entries')).toEqual([]);
      expect(await tab.call('entries', 'dead-letter')).toEqual([]);
    },
  );
});
