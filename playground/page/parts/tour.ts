import { byId, h, write } from '../dom.ts';
import { onQueue, type Queue } from '../queue.ts';
import type { Reader } from '../reader.ts';
import type { ServerState } from '../server.ts';
import { entryText, times } from '../words.ts';

/** What a visitor has done so far. In `localStorage`: closing the tab in the middle is part of the tour. */
interface Progress {
  readonly isBroken?: true;
  /** The order of step 2; its key as the header `Idempotency-Key` has it, in quotes. */
  readonly order?: { readonly key: string; readonly text: string };
  /** What the ledger says about it. */
  readonly proof?: string;
}

const KEPT = 'harbour-tour';

const read = (): Progress => JSON.parse(localStorage.getItem(KEPT) ?? '{}');
const add = (more: Progress): void => localStorage.setItem(KEPT, JSON.stringify({ ...read(), ...more }));

const STEPS = [
  { title: 'Break the server', todo: 'Press Disconnect at the top. Does the shop go on?' },
  { title: 'Order in the tunnel', todo: 'Order something. Close the tab or open a second one, if you like.' },
  { title: 'Heal the server', todo: 'Press Heal. How often does the order arrive?' },
];

/** Three steps that tick themselves off. @returns checks them against the server. */
export function showTour({ source }: Reader): (server: ServerState) => void {
  let queue: Queue | undefined;
  let server: ServerState | undefined;
  const steps = STEPS.map(({ title, todo }) => {
    const says = h('p', {}, todo);
    const done = h('span', { className: 'done', hidden: true }, 'done');
    const element = h('li', {}, h('h3', {}, title, ' ', done), says);
    byId('tour').append(element);
    return { todo, says, done, element };
  });

  function check(): void {
    if (!server) return;
    const { isBroken, order, proof } = read();
    const isWell = !server.fault && !server.unknownFault;
    const [entry] = queue?.waiting ?? [];
    if (!isBroken) {
      if (!isWell && source() === 'stale') add({ isBroken: true });
    } else if (!order) {
      if (!isWell && entry) add({ order: { key: entry.idempotencyKey, text: entryText(entry) } });
    } else if (!proof && isWell) {
      const isWaiting = queue?.waiting.some(({ idempotencyKey }) => idempotencyKey === order.key);
      const written = server.ledger.find(({ key }) => JSON.stringify(key) === order.key);
      if (written?.applied && !isWaiting)
        add({
          proof: `received ${times(written.seen)}, applied ${times(written.applied)}`,
        });
    }
    show();
  }

  function show(): void {
    const { isBroken, order, proof } = read();
    const results = [
      isBroken && 'The shop goes on with its saved copy, and says how old it is.',
      order && `${order.text} ${proof ? 'was' : 'is'} in the outbox: stored in this browser, not lost.`,
      proof && `Delivered. The server’s ledger: ${order?.text}, ${proof}.`,
    ];
    const current = results.findIndex((result) => !result);
    for (const [nth, { todo, says, done, element }] of steps.entries()) {
      write(says, results[nth] || todo);
      done.hidden = !results[nth];
      element.classList.toggle('over', Boolean(results[nth]));
      element.ariaCurrent = nth === current ? 'step' : null;
    }
    byId('tour-again').hidden = !isBroken;
  }

  byId('tour-again').onclick = () => {
    localStorage.removeItem(KEPT);
    show();
    byId('tour-title').focus();
  };
  onQueue((now) => {
    queue = now;
    check();
  });
  show();
  return (now) => {
    server = now;
    check();
  };
}
