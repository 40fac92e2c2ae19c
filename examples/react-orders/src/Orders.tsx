import { Problem } from './Problem.tsx';
import { useDiscardOrder, useOrders, useOutboxEvents, useSaveOrder, useUnsent } from './queries.ts';

export function Orders() {
  const { data, error } = useOrders();
  const save = useSaveOrder();
  useOutboxEvents();
  return (
    <section aria-label="Orders">
      {data?.isOld && <p role="status">These orders are old: the service does not respond.</p>}
      <Problem error={error} />
      <ul>
        {data?.orders.map(({ id, item }) => (
          <li key={id}>{item}</li>
        ))}
      </ul>
      <form action={(fields) => save.mutate({ id: crypto.randomUUID(), item: String(fields.get('item')) })}>
        <input name="item" aria-label="Item" required />
        <button type="submit">Place order</button>
      </form>
      <Problem error={save.error} />
    </section>
  );
}

export function Unsent() {
  const { data: entries = [], error } = useUnsent();
  const discard = useDiscardOrder();
  return (
    <section aria-label="Not sent">
      <Problem error={error ?? discard.error} />
      <ul>
        {entries.map(({ id, state, meta }) => (
          <li key={id}>
            {meta?.item} {state === 'waiting' ? '(waiting)' : '(refused)'}
            <button type="button" onClick={() => discard.mutate(id)}>
              Discard
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
