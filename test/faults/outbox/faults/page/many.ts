import { indexedDBStore, type OutboxEntry } from '../../../../../src/index.ts';
import type { Item } from '../../../../../src/store.ts';
import { NAME } from './database.ts';

const BATCH = 5_000;
const BODY = 'one of many';

/** The key of the nth entry. */
export const keyOf = (model: string, nth: number): string =>
  model.replace(/[^ ]*$/, `${nth.toString(36).padStart(9, '0')}-many`);

/**
 * Makes many of the one write that there is: with the records that the library itself has written,
 * lane after lane in turn. Only the first `withBody` have a body, or filling would take longer than
 * all else.
 */
export async function multiply(count: number, lanes: number, withBody: number): Promise<void> {
  const store = indexedDBStore({ name: NAME });
  const items = await store.range({});
  const model = items.find(({ key }) => key.startsWith('entry ')) as Item<OutboxEntry>;
  const totals = items.find(({ key }) => key.startsWith('totals ')) as Item<object>;
  const [state, name, partition] = (model.group as string).split(' ');
  for (let from = 0; from < count; from += BATCH)
    await store.write(
      Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => {
        const nth = from + at;
        const key = keyOf(model.key, nth);
        const lane = `lane-${nth % lanes}`;
        const hasBody = nth < withBody;
        const value: OutboxEntry = {
          ...model.value,
          id: key.replace(/.* /, ''),
          key,
          lane,
          idempotencyKey: `many-${nth}`,
          size: hasBody ? BODY.length : 0,
        };
        const put: Item = {
          key,
          group: `${state} ${name} ${partition} ${lane}`,
          collection: model.collection as string,
          value,
        };
        return { put, ...(hasBody && { body: BODY }) };
      }),
    );
  const bytes = withBody * BODY.length;
  await store.write([
    { delete: model.key },
    { put: { ...totals, value: { ...totals.value, count, bytes, stamp: count } } },
  ]);
  await store.close();
}
