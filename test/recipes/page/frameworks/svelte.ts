import { ordersOf, unsentOf } from '../../../../docs/recipes/svelte.ts';
import { makePage, ordersText, shop, unsentText } from './page.ts';

/** As `$orders` does in a component. */
const main = makePage(() => {
  for (const unsubscribe of subscriptions) unsubscribe();
  main.replaceChildren();
});
const output = (id: string) =>
  main.appendChild(Object.assign(document.createElement('output'), { id })) satisfies HTMLElement;
const [orders, unsent] = [output('orders'), output('unsent')];
const subscriptions = [
  ordersOf(shop).subscribe((now) => {
    orders.textContent = ordersText(now);
  }),
  unsentOf(shop).subscribe((now) => {
    unsent.textContent = unsentText(now);
  }),
];
