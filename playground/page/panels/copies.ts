import type { CacheEntry } from 'holdfast';
import { copies } from '../client.ts';
import { byId, h, list, type Shown, ticking, write } from '../dom.ts';
import { listen } from '../events.ts';
import { long } from '../words.ts';

/** What can be read without the origin. */
export function showCopies(): void {
  let entries: readonly CacheEntry[] = [];
  let looked = Date.now();
  const show = list(
    byId('copies'),
    ({ key }: CacheEntry) => key,
    (entry) => entryView(entry, () => looked),
  );
  const showAll = (): void => {
    show(entries);
    byId('copies-none').hidden = entries.length > 0;
    byId<HTMLButtonElement>('copies-clear').disabled = entries.length === 0;
  };
  async function look(): Promise<void> {
    const [all, { bytes }] = await Promise.all([copies.entries(), copies.usage()]);
    entries = all;
    looked = Date.now();
    write(byId('copies-usage'), bytes ? `${bytes} bytes` : '');
    showAll();
  }
  byId('copies-clear').onclick = () => void copies.clear().then(look);
  listen(({ type }) => {
    if (/^cache-(stored|updated|forgotten|evicted|revalidated)$/.test(type)) void look();
  });
  ticking(showAll);
  void look();
}

function entryView(entry: CacheEntry, looked: () => number): Shown<CacheEntry> {
  const detail = h('span', { className: 'detail' });
  const element = h('li', { className: 'order' }, h('strong', {}, new URL(entry.url).pathname), detail);
  return {
    element,
    update({ age, freshFor, size }) {
      const since = Math.floor((Date.now() - looked()) / 1000);
      const left = freshFor - since;
      const state = left > 0 ? `fresh for ${long(left)}` : `stale for ${long(-left)}`;
      write(detail, `${size} bytes, ${long(age + since)} old, ${state}`);
    },
  };
}
