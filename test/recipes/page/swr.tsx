/** A page in StrictMode: what the origin has, and what has not been sent. */
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { openShop, ShopProvider, useOrders, useSaveOrder, useUnsent } from '../../../docs/recipes/swr.tsx';

const shop = openShop(new URLSearchParams(location.search).get('origin') ?? '', () => 'ann');
// The tests ask it for what is cached.
Object.assign(globalThis, { shop });

function Orders() {
  const { data, error, mutate } = useOrders();
  const { data: unsent = [] } = useUnsent();
  const { data: saved, error: refused, trigger } = useSaveOrder();
  const [item, setItem] = useState('');
  return (
    <>
      <output id="orders">
        {error ? error.name : data?.orders.map((order) => order.item).join()}
        {data?.isOld && ' (old)'}
      </output>
      <output id="unsent">{unsent.map((order) => `${order.item} ${order.state}`).join()}</output>
      <output id="saved">{refused ? 'error' : saved && `${saved.item}${saved.waits ? ' waits' : ''}`}</output>
      <input id="item" value={item} onChange={(event) => setItem(event.target.value)} />
      <button type="button" onClick={() => trigger({ id: item, item }).catch(() => {})}>
        Save
      </button>
      <button type="button" onClick={() => mutate()}>
        Read again
      </button>
    </>
  );
}

createRoot(document.body.appendChild(document.createElement('main'))).render(
  <StrictMode>
    <ShopProvider shop={shop}>
      <Orders />
    </ShopProvider>
  </StrictMode>,
);
