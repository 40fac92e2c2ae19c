import h from 'solid-js/h';
import { render } from 'solid-js/web';
import { createOrders, createUnsent } from '../../../../docs/recipes/solid.ts';
import { makePage, ordersText, shop, unsentText } from './page.ts';

function Orders() {
  const orders = createOrders(shop);
  const unsent = createUnsent(shop);
  return h('div', [
    h('output', { id: 'orders' }, () => ordersText(orders())),
    h('output', { id: 'unsent' }, () => unsentText(unsent())),
  ]);
}

const dispose = render(
  h(Orders),
  makePage(() => dispose()),
);
