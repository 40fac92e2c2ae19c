import { type CacheMode, type Failure, isFailure, type OutboxEntry, type Source, sourceOf } from 'holdfast';
import { api } from '../client.ts';
import { badge, byId, h, list, type Shown, type Tone, ticking, write } from '../dom.ts';
import { listen } from '../events.ts';
import { whenKept } from '../kept.ts';
import { called, clockTime, entryText, long, orderText } from '../words.ts';

interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
  readonly placedAt: string;
}

interface Answer {
  readonly orders: readonly Order[];
  readonly source: Source;
  /** When what it says was true at the origin. */
  readonly asOf: number;
}

/** What is shown of an order that is there, or of one that waits. */
interface Line {
  readonly key: string;
  readonly text: string;
  readonly detail: string;
  readonly queued: boolean;
}

/** How many are shown, newest first. */
const MOST = 12;

/** The orders, where they come from and how old they are; above them what the outbox will add. */
export function showOrders(): { refresh(): Promise<void> } {
  let answer: Answer | undefined;
  let problem = '';
  let asked = 0;
  let answered = 0;
  let waiting: readonly OutboxEntry[] = [];
  let comeBack: ReturnType<typeof setTimeout> | undefined;
  const show = list(byId('orders'), ({ key }: Line) => key, lineView);

  function showAll(): void {
    const there = (answer?.orders ?? []).map(lineOf).reverse();
    const lines = [...waiting.map(waitingLine).reverse(), ...there];
    show(lines.slice(0, MOST));
    byId('orders-none').hidden = !answer || lines.length > 0;
    byId('orders-more').hidden = lines.length <= MOST;
    write(byId('orders-more'), `and ${lines.length - MOST} more`);
  }

  /** @param again What has just been revalidated: the copy is what there is to see. */
  async function refresh(again = false): Promise<void> {
    const turn = ++asked;
    byId('orders-busy').hidden = false;
    clearTimeout(comeBack);
    try {
      const response = await api.get('orders', {
        staleCache: { mode: mode() },
        ...(again && { cache: 'force-cache' }),
      });
      const orders = await response.json<Order[]>();
      // A later question may have been answered meanwhile.
      if (turn < answered) return;
      answered = turn;
      const age = Number(response.headers.get('age') ?? 0);
      answer = { orders, source: sourceOf(response), asOf: Date.now() - age * 1000 };
      problem = '';
    } catch (error) {
      if (turn < answered) return;
      answered = turn;
      const { code, retryAt } = error as Partial<Failure>;
      problem = isFailure(error) || code ? called(code ?? '') : String(error);
      // Whoever refused says when to ask again.
      if (retryAt) comeBack = setTimeout(() => void refresh(), Math.max(500, retryAt - Date.now()));
    } finally {
      if (turn === asked) byId('orders-busy').hidden = true;
    }
    showAll();
    showSource();
  }

  function showSource(): void {
    const { source = 'network', asOf = 0 } = answer ?? {};
    const old = long((Date.now() - asOf) / 1000);
    const [word, tone, says] = (
      problem
        ? ['no answer', 'bad', `The orders could not be read (${problem}), and there is no copy of them.`]
        : !answer
          ? ['not read yet', 'plain', '']
          : source === 'network'
            ? [source, 'good', `From the origin, ${old} ago.`]
            : source === 'cache'
              ? [source, 'good', `A copy that is fresh, ${old} old: nobody was asked.`]
              : mode() === 'stale-while-revalidate'
                ? [source, 'copy', `The last copy at once, ${old} old; the origin is asked behind your back.`]
                : [source, 'copy', `The origin did not answer: last copy, ${old} old.`]
    ) as [string, Tone, string];
    badge(byId('orders-source'), word, tone);
    write(byId('orders-says'), says);
  }

  byId('orders-refresh').onclick = () => void refresh();
  byId('orders-mode').onchange = () => void refresh();
  listen(({ type }) => {
    // What was asked for behind this page's back, or by another tab.
    const isNews = type === 'cache-stored' || type === 'cache-updated';
    if (isNews && mode() === 'stale-while-revalidate') void refresh(true);
  });
  whenKept((kept) => {
    waiting = kept.waiting;
    showAll();
  });
  ticking(showSource);
  return { refresh: () => refresh() };
}

const mode = () => byId<HTMLSelectElement>('orders-mode').value as CacheMode;

const lineOf = ({ id, item, quantity, placedAt }: Order): Line => ({
  key: id,
  text: orderText({ item, quantity }),
  detail: `${id}, ${clockTime(Date.parse(placedAt))}`,
  queued: false,
});

const waitingLine = (entry: OutboxEntry): Line => ({
  key: entry.key,
  text: entryText(entry),
  detail: `since ${clockTime(entry.acceptedAt)}`,
  queued: true,
});

function lineView({ queued }: Line): Shown<Line> {
  const text = h('strong');
  const detail = h('span', { className: 'detail' });
  const mark = queued ? [h('span', { className: 'badge waiting' }, 'queued')] : [];
  const element = h('li', { className: 'order' }, text, ...mark, detail);
  return {
    element,
    update(line) {
      write(text, line.text);
      write(detail, line.detail);
    },
  };
}
