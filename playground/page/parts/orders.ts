import { badge, byId, h, list, type Tone, type View, write } from '../dom.ts';
import { onQueue, type Queue } from '../queue.ts';
import { type Reader, reader } from '../reader.ts';
import { clockTime, entryText, orderText, why } from '../words.ts';

interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
  readonly placedAt: string;
}

/** An order at the server, or in the outbox. */
interface Line {
  readonly key: string;
  readonly text: string;
  readonly detail: string;
  readonly state: string;
  readonly tone: Tone;
}

/** How many are shown, newest first. */
const MOST = 6;

/** The orders that the server has; above them those of the outbox. */
export function showOrders(): Reader {
  let orders: readonly Order[] = [];
  let queue: Queue | undefined;
  const show = list(byId('orders'), ({ key }: Line) => key, lineView);

  function showAll(): void {
    const { waiting = [], dead = [], counts } = queue ?? {};
    const lines = [
      ...dead.map(({ key, reason, ...entry }) =>
        line(key, entryText(entry), reason ? why(reason) : 'refused', 'refused', 'bad'),
      ),
      ...waiting.map(({ key, acceptedAt, ...entry }) =>
        line(key, entryText(entry), `since ${clockTime(acceptedAt)}`, 'queued', 'waiting'),
      ),
      ...orders
        .toReversed()
        .map(({ id, placedAt, ...wish }) =>
          line(id, orderText(wish), `${id}, ${clockTime(Date.parse(placedAt))}`, 'delivered', 'good'),
        ),
    ];
    show(lines.slice(0, Math.max(MOST, dead.length + waiting.length)));
    byId('orders-none').hidden = lines.length > 0;
    write(
      byId('outbox-count'),
      counts?.waiting ? `${counts.waiting} waiting${counts.paused ? ', paused' : ''}.` : 'Nothing waits.',
    );
    byId('dead-letters').hidden = !counts?.deadLetters;
  }

  onQueue((now) => {
    queue = now;
    showAll();
  });
  return reader<Order[]>('orders', {
    show(now) {
      orders = now;
      showAll();
    },
    mark: byId('orders-mark'),
    says: byId('orders-says'),
  });
}

const line = (key: string, text: string, detail: string, state: string, tone: Tone): Line => ({
  key: `${state} ${key}`,
  text,
  detail,
  state,
  tone,
});

function lineView({ text, state, tone }: Line): View<Line> {
  const mark = h('span');
  badge(mark, state, tone);
  const detail = h('span', { className: 'detail' });
  return {
    element: h('li', { className: 'order' }, h('strong', {}, text), detail, mark),
    update: (now) => write(detail, now.detail),
  };
}
