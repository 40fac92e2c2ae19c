/** Plain data, for servers of any runtime. Prices are in cents. */
const PRODUCTS = [
  { id: 'tea', name: 'Black tea', about: '100 g, from the hills', price: 690 },
  { id: 'bread', name: 'Rye bread', about: 'baked this morning', price: 480 },
  { id: 'honey', name: 'Honey', about: 'linden, 250 g', price: 850 },
  { id: 'salt', name: 'Sea salt', about: 'flakes, 150 g', price: 390 },
  { id: 'coffee', name: 'Coffee', about: 'whole beans, 250 g', price: 920 },
  { id: 'olives', name: 'Olives', about: 'green, in brine', price: 540 },
];

export type Product = (typeof PRODUCTS)[number] & {
  /** How many were ordered. */
  readonly sold: number;
};

export function productsOf(
  orders: readonly { readonly item: string; readonly quantity: number }[],
): Product[] {
  const sold = new Map<string, number>();
  for (const { item, quantity } of orders) sold.set(item, (sold.get(item) ?? 0) + quantity);
  return PRODUCTS.map((product) => ({ ...product, sold: sold.get(product.id) ?? 0 }));
}
