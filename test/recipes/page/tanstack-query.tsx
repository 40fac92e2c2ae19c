/** A page in StrictMode: the orders, the unsent ones, and a draft that an effect saves. */
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import {
  openShop,
  Problem,
  ShopProvider,
  useOrders,
  useSaveOrder,
  useUnsent,
} from '../../../docs/recipes/tanstack-query.tsx';

const asked = new URLSearchParams(location.search);
const shop = openShop(asked.get('origin') ?? '', () => 'ann');
// The tests ask it for what is cached.
Object.assign(globalThis, { shop });

function Orders() {
  const { data, error, refetch } = useOrders();
  const { data: unsent = [] } = useUnsent();
  const save = useSaveOrder();
  const [item, setItem] = useState('');
  return (
    <>
      <output id="orders">
        {data?.orders.map((order) => order.item).join()}
        {data?.isOld && ' (old)'}
        <Problem error={error} />
      </output>
      <output id="unsent">{unsent.map((order) => `${order.item} ${order.state}`).join()}</output>
      <output id="saved">
        {save.data ? `${save.data.item}${save.data.waits ? ' waits' : ''}` : save.status}
      </output>
      <input id="item" value={item} onChange={(event) => setItem(event.target.value)} />
      <button type="button" onClick={() => save.mutate({ id: item, item })}>
        Save
      </button>
      <button type="button" onClick={() => refetch()}>
        Read again
      </button>
    </>
  );
}

function Draft() {
  const { mutate } = useSaveOrder();
  useEffect(() => mutate({ id: 'draft', item: 'draft' }), [mutate]);
  return null;
}

createRoot(document.body.appendChild(document.createElement('main'))).render(
  <StrictMode>
    <ShopProvider shop={shop}>
      <Orders />
      {asked.has('draft') && <Draft />}
    </ShopProvider>
  </StrictMode>,
);
