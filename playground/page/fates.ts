import { UndeliveredError } from 'holdfast';
import { queue } from './client.ts';
import { whenKept } from './kept.ts';
import { announce } from './news.ts';
import { entryText, orderText, why } from './words.ts';

/** What the entries are called that this page has seen. */
const names = new Map<string, string>();
const followed = new Set<string>();

export const nameOf = (id: string): string => names.get(id) ?? 'an earlier order';

export function remember(id: string, name: string): void {
  names.set(id, name);
}

/**
 * Says what becomes of every write, whoever accepted it: this page, this page before it was loaded again, or another
 * tab. And whoever delivers it.
 *
 * @param delivered Called when something at the origin has changed.
 */
export function followAll(delivered: () => void): void {
  async function follow(id: string): Promise<void> {
    if (followed.has(id)) return;
    followed.add(id);
    try {
      const response = await queue.result(id);
      if (!response.ok)
        return announce('dead letter', `${nameOf(id)}: the origin answered ${response.status}`, 'bad');
      announce('delivered', orderText(await response.json()), 'good');
      delivered();
    } catch (error) {
      if (!(error instanceof UndeliveredError)) throw error;
      if (error.reason.code === 'removed') announce('removed', nameOf(id), 'plain');
      else announce('dead letter', `${nameOf(id)}: ${why(error.reason)}`, 'bad');
    }
  }

  whenKept(({ waiting, dead }) => {
    for (const entry of [...waiting, ...dead]) remember(entry.id, entryText(entry));
    // It may be replayed.
    for (const { id } of dead) followed.delete(id);
    for (const { id } of waiting) void follow(id);
  });
  // What is delivered at once is never seen waiting.
  queue.subscribe((news) => {
    if (news.type === 'sending' || news.type === 'replayed') void follow(news.id);
  });
}
