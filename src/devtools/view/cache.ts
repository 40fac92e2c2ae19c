import type { CacheEntry } from '../../policies/cache/admin.ts';
import type { Served } from '../model/model.ts';
import { bytesText, durationText, shownUrl, timeOfDay } from '../model/words.ts';
import type { ClientSource } from '../source.ts';
import { button, chip, facts, h, style, urlView, write, writeUrl } from './dom.ts';
import { actions, details, type Panel } from './panel.ts';
import { type RowView, VirtualList } from './virtual-list.ts';

/** What the cache keeps: how old it is, and why it was served. */
export function cachePanel(): Panel {
  let shown: ClientSource | undefined;
  let seen = -1;
  let current: CacheEntry | undefined;
  let isMixed = false;
  const says = h('span', { class: 'count' });
  const known = h('dl');
  const pane = details('Details of the cached response', () => list.focus());
  const remove = actions(
    button('Delete', () =>
      remove.run('Delete', async () => {
        if (current) await shown?.parts.staleCache?.delete(current.url, { partition: current.partition });
        shown?.cached.refresh();
      }),
    ),
  );
  const clear = actions(
    button('Clear cache', () =>
      clear.run('Clear', async () => {
        await shown?.parts.staleCache?.clear();
        shown?.cached.refresh();
      }),
    ),
  );
  pane.body.append(known, remove.element);
  const list = new VirtualList<CacheEntry>({
    label: 'Cached responses',
    empty: NONE,
    keyOf: ({ key }) => key,
    make: () =>
      entryRow((entry) => [isMixed && entry.partition, servedText(shown?.model.served.get(entry.url))]),
    selected(entry) {
      current = entry;
      if (entry) pane.show(shownUrl(entry.url));
      if (shown) update(shown, Date.now());
    },
    nearEnd: () => shown?.cached.more(),
  });

  function update(source: ClientSource, now: number): void {
    const { cached, model, parts } = source;
    if (shown !== source) {
      pane.hide();
      seen = -1;
    }
    shown = source;
    if (seen !== model.cacheVersion) {
      seen = model.cacheVersion;
      cached.refresh();
    }
    clear.element.hidden = !parts.staleCache;
    const { error } = cached;
    list.say(
      !parts.staleCache ? NO_PART : error === undefined ? NONE : `The cache cannot be read: ${String(error)}`,
    );
    isMixed = new Set(cached.items.map(({ partition }) => partition)).size > 1;
    list.show(cached.items);
    const stats = parts.staleCache?.stats();
    write(
      says,
      stats
        ? `${cached.items.length} cached · ${Object.entries(stats)
            .map((pair) => pair.reverse().join(' '))
            .join(' · ')}`
        : '',
    );
    if (!current || !pane.isShown) return;
    const { storedAt, usedAt, size, status, partition, varying, url } = current;
    const served = model.served.get(url);
    facts(known, [
      ['Status', String(status)],
      ['Freshness', freshness(current, now)],
      [
        'Last served',
        served && `${timeOfDay(served.at)}, as ${served.source}, ${durationText(served.age * 1_000)} old`,
      ],
      ['Served because', served?.why],
      ['Newer response', newerOfAnotherPartition(current, cached.items)],
      ['Stored', timeOfDay(storedAt)],
      ['Used', timeOfDay(usedAt)],
      ['Size', bytesText(size)],
      ['Partition', partition],
      ['Varies by', Object.keys(varying).join(', ') || undefined],
    ]);
  }

  return {
    name: 'Cache',
    element: h(
      'div',
      { class: 'panel' },
      h('div', { class: 'toolbar' }, clear.element, says),
      h('div', { class: 'split' }, list.element, pane.element),
    ),
    update,
  };
}

const NONE = 'The cache is empty.';
const NO_PART = 'To see the cache, give devtools() the staleCache() of the client.';

/** Seconds since the listing; its ages were right then. */
const later = ({ storedAt, age }: CacheEntry, now: number): number =>
  Math.max(0, Math.floor((now - storedAt) / 1_000) - age);

function freshness(entry: CacheEntry, now: number): string {
  const left = entry.freshFor - later(entry, now);
  const age = durationText((entry.age + later(entry, now)) * 1_000);
  return left > 0
    ? `${age} old, fresh for ${durationText(left * 1_000)}`
    : `${age} old, stale for ${durationText(-left * 1_000)}`;
}

/** An application that changes its partition shows what another partition has replaced. */
function newerOfAnotherPartition(entry: CacheEntry, all: readonly CacheEntry[]): string | undefined {
  const newer = all.find(
    ({ url, partition, storedAt }) =>
      url === entry.url && partition !== entry.partition && storedAt > entry.storedAt,
  );
  const later = newer && durationText(newer.storedAt - entry.storedAt);
  return (
    newer && `Partition ${newer.partition} has a response stored ${later} later. Partitions share nothing.`
  );
}

/** @param notesOn What to say of an entry besides its age. */
function entryRow(notesOn: (entry: CacheEntry) => (string | false)[]): RowView<CacheEntry> {
  const url = urlView();
  const status = h('b');
  const state = h('span');
  const gauge = h('span', { class: 'gauge', 'aria-hidden': 'true' }, h('i'));
  const why = h('span', { class: 'why' });
  const size = h('span', { class: 'took' });
  return {
    element: h('div', { class: 'cached' }, status, url, why, state, gauge, size),
    update(entry) {
      const past = later(entry, Date.now());
      const age = entry.age + past;
      const left = entry.freshFor - past;
      writeUrl(url, shownUrl(entry.url));
      write(status, String(entry.status));
      chip(
        state,
        left > 0 ? `fresh ${durationText(left * 1_000)}` : `stale, ${durationText(age * 1_000)} old`,
        left > 0 ? 'good' : 'stale',
      );
      // How much of its lifetime has passed.
      const share = left > 0 ? age / Math.max(1, age + left) : 1;
      style(gauge.firstElementChild as HTMLElement, 'width', `${Math.round(100 * share)}%`);
      gauge.className = `gauge ${left > 0 ? 'good' : 'stale'}`;
      write(why, notesOn(entry).filter(Boolean).join(' · '));
      write(size, bytesText(entry.size));
    },
  };
}

const servedText = (served: Served | undefined): string =>
  served === undefined ? '' : `served ${served.source}: ${served.is}`;
