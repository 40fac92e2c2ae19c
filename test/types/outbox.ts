/** Compiled, and never run: what a call may say of its write. */
import { outbox } from 'holdfast';
import type { CallOutbox } from '../../src/policies/outbox/options.ts';

const said: readonly CallOutbox[] = [
  {},
  { lane: 'a', meta: { of: 'mine' }, blockLaneOnFailure: true },
  { coalesce: { key: 'draft' } },
  { coalesce: { key: 'draft', merge: 'replace' } },
  { coalesce: { key: 'draft', merge: (_, later) => later } },
  // @ts-expect-error: nothing would ever be merged
  { coalesce: { merge: 'replace' } },
  // @ts-expect-error: no such option
  { keys: 'draft' },
];
void said;

/** Compiled, and never run: what an application keeps with its entries has the application's type. */
export async function typedMeta(): Promise<void> {
  interface Meta {
    readonly title: string;
  }
  const box = outbox<Meta>({
    authorize: (request, { meta }) => request.headers.set('x-title', meta?.title ?? ''),
    isDelivered: (_, { meta }) => meta?.title !== '',
    // @ts-expect-error: no such member
    onConflict: (_, { meta }) => (meta?.name ? 'drop' : 'again'),
  });
  const [entry] = await box.entries();
  const title: string | undefined = entry?.meta?.title;
  for await (const { entry } of box.export()) void [title, entry.meta?.title];
  box.subscribe((news) => {
    if (news.type === 'finished') void [news.outcome, news.meta?.title];
    // @ts-expect-error: no such member
    if (news.type === 'finished') void news.meta?.name;
  });
  await box.edit('a', (request, { meta }) => new Request(request, { body: meta?.title ?? '' }));
}

/** Compiled, and never run: `undefined` is what is not said. */
export async function undefinedOptions(): Promise<void> {
  const box = outbox({ store: undefined });
  await box.entries({ state: undefined, lane: undefined, after: undefined, limit: undefined });
  await box.counts({ lane: undefined });
  await box.flush({ due: undefined, signal: undefined, onProgress: undefined });
  await box.replay('a', { key: undefined });
  await box.clear({ partition: undefined });
  void ({ coalesce: { key: 'a', merge: undefined } } satisfies CallOutbox);
}
