import { isQueued, sourceOf } from 'holdfast';
import { box, fetch, ORDERS, session } from './data.ts';
import { installWorker } from './install.ts';

const $ = <E extends HTMLElement>(selector: string): E => document.querySelector(selector) as E;
const say = (text: string) => {
  $('#status').textContent = text;
};

const note = (text: string) => {
  $('#note').textContent = text;
  $('#note').hidden = text === '';
};

/** The orders of the signed-in user, as this page read them last. */
let delivered: readonly string[] = [];

async function read(): Promise<void> {
  const user = session.partition();
  const response = await fetch(ORDERS);
  if (!response.ok) throw new Error(`The server responds with ${response.status}.`);
  const orders: { item: string }[] = await response.json();
  // Another user may have signed in since.
  if (user !== session.partition()) return;
  delivered = orders.map(({ item }) => item);
  note(
    sourceOf(response) === 'stale'
      ? 'The server does not respond: these are the orders as you last saw them.'
      : '',
  );
}

/** The orders that the server has, and below them those that it does not have yet. */
async function show(): Promise<void> {
  const user = session.partition();
  const waiting = user === undefined ? [] : await box.entries({ state: 'waiting' });
  if (user !== session.partition()) return;
  const lines = [...delivered, ...waiting.map(({ meta }) => `${meta?.item} (queued)`)];
  $('#orders').replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement('li'), { textContent: line })),
  );
}

async function order(item: string): Promise<void> {
  const response = await fetch(ORDERS, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ item }),
    holdfast: { outbox: { lane: 'orders', meta: { item } } },
  });
  if (isQueued(response))
    say('Kept. Your order is sent as soon as the server takes it, also with this page closed.');
  else say(response.ok ? 'Ordered.' : `The server rejects the order: ${response.status}.`);
}

/** Queued orders are shown also if the list of the server cannot be read. */
async function refresh(): Promise<void> {
  await show();
  await read().catch((error: Error) => note(error.message));
  await show();
}

/** Nothing of one user is shown to another: not for the moment until the first response, either. */
async function start(): Promise<void> {
  await session.ready;
  delivered = [];
  say('');
  note('');
  await show();
  const signedIn = session.partition() !== undefined;
  $('#sign-in').hidden = signedIn;
  $('main').hidden = !signedIn;
  if (signedIn) await refresh();
}

/** Queued orders wait for the next sign-in of this user; cached responses are deleted. */
async function signOut(): Promise<void> {
  await fetch.signOut({ undelivered: 'keep' });
  await session.signOut();
}

const submitted = (selector: string, act: (value: string) => Promise<void>): void =>
  $(selector).addEventListener('submit', (event) => {
    event.preventDefault();
    const input = $<HTMLInputElement>(`${selector} input`);
    const { value } = input;
    input.value = '';
    act(value).catch((error: Error) => say(error.message));
  });

submitted('#sign-in', (user) => session.signIn(user));
submitted('#order', (item) => order(item).then(refresh));
$('#sign-out').addEventListener('click', () => signOut().catch((error: Error) => say(error.message)));
// Also where another tab has signed in or out.
session.subscribe(() => void start());
// Also what the service worker and other tabs deliver.
box.subscribe((event) => {
  if (event.type !== 'finished') return;
  if (event.outcome === 'delivered') say('Ordered.');
  if (event.outcome === 'dead-lettered') say(`The server does not accept the order: ${event.meta?.item}.`);
  void refresh();
});
addEventListener('online', () => void refresh());

installWorker($('#update'));
await start();
