import { onMounted, onScopeDispose, type ShallowRef, shallowRef } from 'vue';
import { NO_ORDERS, type Orders, type Shop, type Unsent, watchOrders, watchUnsent } from './orders.ts';

export const useOrders = (shop: Shop): Readonly<ShallowRef<Orders>> =>
  useWatched(NO_ORDERS, (show) => watchOrders(shop, show));

export const useUnsent = (shop: Shop): Readonly<ShallowRef<readonly Unsent[]>> =>
  useWatched<readonly Unsent[]>([], (show) => watchUnsent(shop, show));

/** What `watch` shows while the component is mounted; `initial` before that, and on a server. */
function useWatched<T>(initial: T, watch: (show: (value: T) => void) => () => void): ShallowRef<T> {
  const value: ShallowRef<T> = shallowRef(initial);
  let end = (): void => undefined;
  onMounted(() => {
    end = watch((now) => {
      value.value = now;
    });
  });
  onScopeDispose(() => end());
  return value;
}
