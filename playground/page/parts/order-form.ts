import { byId } from '../dom.ts';
import { place } from '../place.ts';

/** How many orders a busy hour has. */
const MANY = 20;

/** Orders of anything. The page checks nothing, so that the server has something to refuse. */
export function showOrderForm(): void {
  const form = byId<HTMLFormElement>('order-form');
  const item = byId<HTMLInputElement>('order-item');
  const quantity = byId<HTMLInputElement>('order-quantity');

  form.onsubmit = (event) => {
    event.preventDefault();
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
