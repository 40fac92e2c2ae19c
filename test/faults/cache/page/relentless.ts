/** A page that reports its cached responses, and then reads without pause until it is killed. */
import { createFetch, type HoldfastEvent, staleCache } from '../../../../src/index.ts';
import { type Reading, reading } from './reading.ts';

export type Message =
  /**
   * The URLs that were found in the cache, or not, while the origin was gone. The reply comes when
   * it is back.
   */
  | { readonly found: readonly (readonly [url: string, Reading])[] }
  | { readonly stored: string }
  | { readonly trouble: string };

const AT_ONCE = 6;

const report = (message: Message): Promise<Response> =>
  fetch('/', { method: 'POST', body: JSON.stringify(message) });

const urls: string[] = JSON.parse(new URLSearchParams(location.search).get('urls') ?? '[]');
const cache = staleCache();

/** Also reports the failures of the cache. */
function onEvent(event: HoldfastEvent): void {
  if (event.type === 'cache-stored') report({ stored: event.url });
  if (event.type === 'store-failed') report({ trouble: `${event.operation}: ${event.error}` });
}

const looking = createFetch({
  partition: 'public',
  staleCache: cache,
  retry: false,
  breaker: false,
  onEvent,
});
const found = urls.map(async (url) => [url, await reading(looking, url)] as const);
await report({ found: await Promise.all(found) });

const relentless = createFetch({ partition: 'public', staleCache: cache, onEvent });
for (let at = 0; at < AT_ONCE; at++) read();

async function read(): Promise<never> {
  for (;;) await reading(relentless, urls[Math.floor(Math.random() * urls.length)] as string);
}
