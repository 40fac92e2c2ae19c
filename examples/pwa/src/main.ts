import { isQueued, sourceOf } from 'holdfast';
import { box, fetch, ORDERS, session } from './data.ts';
import { installWorker } from './install.ts';

const $ = <E extends HTMLElement>(selector: string): E => document.querySelector(selector) as E;
const say = (text: string) => {
  $('#status').textContent = text;
};

/** The orders that the server has, and below them those that it does not have yet. */
async function show(): Promise<void> {
  const response = await fetch(ORDERS);
  if (!response.ok) throw new Error(`The server responds with ${response.status}.`);
  const orders: { item: string }[] = await response.json();
  const waiting = await box.entries({ state: 'waiting' });
  const lines = [...orders.map(({ item }) => item), ...waiting.map(({ meta }) => `${meta?.item} (queued)`)];
  $('#orders').replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement('li'), { textContent: line })),
  );
  $('#stale').hidden = sourceOf(response) !== 'stale';
}

async function order(item: string): Promise<void> {
  const response = await fetch(ORDERS, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ item }),
    holdfast: { outbox: { lane: 'orders', meta: { item } } },
  });
  if (isQueued(response))
    say('Kept. Your order is sent when you are back online, also with this page closed.');
  else say(response.ok ? 'Ordered.' : `The server rejects the order: ${response.status}.`);
}

const refresh = (): Promise<void> => show().catch((error: Error) => say(error.message));

async function start(): Promise<void> {
  await session.ready;
  const signedIn = session.partition() !== undefined;
  $('#sign-in').hidden = signedIn;
  $('main').hidden = !signedIn;
  if (signedIn) await refresh();
}

/** Queued orders wait for the next sign-in of this user; cached responses are deleted. */
async function signOut(): Promise<void> {
  await fetch.signOut({ undelivered: 'keep' });
  await session.signOut();
  await start();
}

const submitted = (selector: string, act: (value: string) => Promise<void>): void =>
  $(selector).addEventListener('submit', (event) => {
    event.preventDefault();
    const input = $<HTMLInputElement>(`${selector} input`);
    const { value } = input;
    input.value = '';
    act(value).catch((error: Error) => say(error.message));
  });

submitted('#sign-in', (user) => session.signIn(user).then(start));
submitted('#order', (item) => order(item).then(refresh));
$('#sign-out').addEventListener('click', () => signOut().catch((error: Error) => say(error.message)));
// Also what the service worker and other tabs deliver.
box.subscribe(({ type }) => type === 'settled' && void refresh());
addEventListener('online', () => void refresh());

installWorker($('#update'));
await start();
