/**
 * The same page as `relentless.ts`, with a service worker with workbox-background-sync that keeps
 * the writes.
 */
import { findDatabase } from './database.ts';
import { settingsIn } from './settings.ts';
import { tell } from './tell.ts';
import { KEYED, LANES, type Write, writeOf } from './writes.ts';

const { seed, origin, life, last } = settingsIn(location.search);

tell({ begun: await findDatabase('workbox-background-sync') });

const controlled = new Promise((resolve) => {
  navigator.serviceWorker.addEventListener('controllerchange', resolve);
});
await navigator.serviceWorker.register('/worker.js');
const { active } = await navigator.serviceWorker.ready;
if (!navigator.serviceWorker.controller) await controlled;

if (last) await drain();
else {
  setInterval(replay, 1_000);
  void replay();
  for (const lane of LANES) void writeTo(lane);
}

async function writeTo(lane: string): Promise<never> {
  for (let nth = 0; ; nth++) await give(writeOf(seed, lane, life, nth));
}

async function give({ item, lane, kind, body, delay }: Write): Promise<void> {
  // It keeps no dead letters, and knows no limit.
  if (kind === 'invalid' || kind === 'too-large') return;
  const key = KEYED.includes(lane) ? { 'idempotency-key': `"${item}"` } : {};
  const headers = { 'content-type': 'application/json', ...key };
  try {
    const { ok } = await fetch(`${origin}/${lane}/orders?delay=${delay}`, { method: 'POST', headers, body });
    if (ok) tell({ accepted: item });
  } catch {
    // Neither sent nor kept, as far as the page knows.
  }
}

/** @returns how many wait after it. */
function replay(): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    active?.postMessage('replay', [port2]);
  });
}

async function drain(): Promise<void> {
  while ((await replay()) > 0);
  tell({ ended: { waiting: [], dead: [], count: 0 } });
}
