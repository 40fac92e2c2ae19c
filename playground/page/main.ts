import './complaints.ts';
import { byId } from './dom.ts';
import { followOrders } from './news.ts';
import { showOrderForm } from './parts/order-form.ts';
import { showOrders } from './parts/orders.ts';
import { showProgress } from './parts/progress.ts';
import { showServerBar } from './parts/server-bar.ts';
import { showShelf } from './parts/shelf.ts';
import { showStatus } from './parts/status.ts';
import { showTour } from './parts/tour.ts';

const shelf = showShelf();
const orders = showOrders();
const refresh = (): void => {
  void shelf.refresh();
  void orders.refresh();
};

// After many deliveries in a row, one refresh is enough.
let soon: ReturnType<typeof setTimeout> | undefined;
followOrders(() => {
  clearTimeout(soon);
  soon = setTimeout(refresh, 100);
});

showOrderForm();
showProgress();
showStatus();
showServerBar(refresh, showTour(orders));
byId('refresh').onclick = refresh;
refresh();
