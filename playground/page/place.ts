import { isQueued } from 'holdfast';
import { api } from './client.ts';
import { announce } from './news.ts';
import { failure, orderText, type Wish } from './words.ts';

/** Places an order. The outbox keeps it until it is delivered. */
export async function place(order: Wish): Promise<void> {
  try {
    const response = await api.post('orders', {
      json: order,
      // One id per order: the same id given twice is one entry.
      outbox: { id: crypto.randomUUID(), meta: order },
      throwHttpErrors: false,
    });
    if (isQueued(response))
      announce('queued', `${orderText(order)}: will be sent when the server is back`, 'waiting');
  } catch (error) {
    announce('not accepted', `${orderText(order)}: ${failure(error)}`, 'bad');
  }
}
