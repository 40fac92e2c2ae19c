import './complaints.ts';
import { followAll } from './fates.ts';
import { showCalls } from './panels/calls.ts';
import { showCircuits } from './panels/circuits.ts';
import { showCode } from './panels/code.ts';
import { showCopies } from './panels/copies.ts';
import { showDeadLetters } from './panels/dead-letters.ts';
import { showOrderForm } from './panels/order-form.ts';
import { showOrders } from './panels/orders.ts';
import { showOrigin } from './panels/origin.ts';
import { showOutbox } from './panels/outbox.ts';
import { showStatus } from './panels/status.ts';

// The one that listens comes before those who give it something to hear.
showCalls();
showStatus();
showOrigin();
showCircuits();
showOutbox();
showCopies();
showDeadLetters();
showOrderForm();
showCode();
const { refresh } = showOrders();
let soon: ReturnType<typeof setTimeout> | undefined;
followAll(() => {
  // Of many that are delivered one after the other, not each is worth a question.
  clearTimeout(soon);
  soon = setTimeout(() => void refresh(), 100);
});
void refresh();
