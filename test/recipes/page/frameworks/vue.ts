import { createApp, h } from 'vue';
import { useOrders, useUnsent } from '../../../../docs/recipes/vue.ts';
import { makePage, ordersText, shop, unsentText } from './page.ts';

function useTexts() {
  const orders = useOrders(shop);
  const unsent = useUnsent(shop);
  return () => [
    h('output', { id: 'orders' }, ordersText(orders.value)),
    h('output', { id: 'unsent' }, unsentText(unsent.value)),
  ];
}

const app = createApp({ setup: useTexts });
app.mount(makePage(() => app.unmount()));
