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

// The one that listens comes before those who give it something to hear.
showCalls();
showOrigin();
showCircuits();
showOutbox();
showCopies();
showDeadLetters();
showOrderForm();
showCode();
const { refresh } = showOrders();
followAll(() => void refresh());
void refresh();
