import type { Product } from '../../../tools/misbehaving-server/products.ts';
import { byId, h, list, type View, write } from '../dom.ts';
import { place } from '../place.ts';
import { type Reader, reader } from '../reader.ts';
import { money } from '../words.ts';

/** The products, as the server lists them. */
export function showShelf(): Reader {
  const show = list(byId('shelf'), ({ id }: Product) => id, productView);
  return reader<Product[]>('products', { show, mark: byId('shelf-mark'), says: byId('shelf-says') });
}

function productView({ id, name, about, price }: Product): View<Product> {
  const sold = h('span', { className: 'detail' });
  const buy = (): void => void place({ item: id, quantity: 1 });
  const element = h(
    'li',
    { className: 'product' },
    h('img', { src: `pictures/${id}.svg`, alt: '', width: 120, height: 96 }),
    h('h3', {}, name),
    h('p', { className: 'detail' }, about),
    h('p', { className: 'price' }, h('b', {}, money(price)), sold),
    h('button', { type: 'button', className: 'main', ariaLabel: `Order ${name}`, onclick: buy }, 'Order'),
  );
  return { element, update: (product) => write(sold, product.sold > 0 ? `${product.sold} sold` : 'new') };
}
