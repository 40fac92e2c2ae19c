import { isQueued } from 'holdfast';
import { api } from '../client.ts';
import { byId } from '../dom.ts';
import { remember } from '../fates.ts';
import { announce } from '../news.ts';
import { called, orderText } from '../words.ts';

/** How many orders a busy hour has. */
const MANY = 20;

/** Places orders. What becomes of them afterwards is told by `fates.ts`. */
export function showOrderForm(): void {
  const form = byId<HTMLFormElement>('order-form');
  const item = byId<HTMLInputElement>('order-item');
  const quantity = byId<HTMLInputElement>('order-quantity');

  form.onsubmit = (event) => {
    event.preventDefault();
    // Nothing is checked here, so that there is something for the origin to refuse.
    const order = { item: item.value.trim(), quantity: quantity.valueAsNumber || 0 };
    form.reset();
    item.focus();
    void place(order);
  };
  byId('order-many').onclick = () => {
    const name = item.value.trim() || 'tea';
    form.reset();
    for (let nth = 1; nth <= MANY; nth++) void place({ item: `${name} ${nth}`, quantity: 1 });
  };
}

async function place(order: { item: string; quantity: number }): Promise<void> {
  // Made once for each order: the same id given twice is one entry.
  const id = crypto.randomUUID();
  remember(id, orderText(order));
  try {
    const answer = await api.post('orders', {
      json: order,
      outbox: { id, meta: order },
      throwHttpErrors: false,
    });
    if (isQueued(answer))
      announce('queued', `${orderText(order)}: will be sent when the origin is back`, 'waiting');
  } catch (error) {
    const { code } = error as { code?: string };
    announce('not accepted', `${orderText(order)}: ${code ? called(code) : error}`, 'bad');
  }
}
