import { badge, byId, h, write } from '../dom.ts';
import { breakServer, type Fault, faults, healServer, inspect, type ServerState } from '../server.ts';
import { count, times } from '../words.ts';

/** How often the page looks: other tabs change the server, too. In ms. */
const OFTEN = 1_000;

/**
 * Buttons that break the server and heal it. Each says what it will do.
 *
 * @param changed Called if the server began or ceased to misbehave.
 * @param seen Called with each look at the server.
 */
export function showServerBar(changed: () => void, seen: (state: ServerState) => void): void {
  const buttons = faults.map((fault) => ({ fault, button: faultButton(fault) }));
  byId('server-faults').append(...buttons.map(({ button }) => button));
  const heal = byId<HTMLButtonElement>('server-heal');
  heal.onclick = () => act(healServer);
  let before: string | undefined;
  let looks = 0;

  function faultButton(fault: Fault): HTMLButtonElement {
    const meaning = h('small', { id: `fault-${faults.indexOf(fault)}` }, fault.does);
    const button = h('button', { type: 'button', ariaLabel: fault.label }, h('b', {}, fault.label), meaning);
    button.setAttribute('aria-describedby', meaning.id);
    button.onclick = () => act(() => breakServer(fault));
    return button;
  }

  async function look(): Promise<void> {
    const turn = ++looks;
    const state = await inspect();
    // A click has looked later.
    if (turn < looks) return;
    const does = state?.fault?.does ?? state?.unknownFault;
    badge(
      byId('server-mark'),
      !state ? 'not running' : does ? 'broken' : 'well',
      state && !does ? 'good' : 'bad',
    );
    write(byId('server-says'), !state ? '' : does ? `${does}.` : 'Break it:');
    write(byId('server-ledger'), state ? ledgerText(state) : '');
    for (const { fault, button } of buttons) button.ariaPressed = String(fault === state?.fault);
    for (const button of [heal, ...buttons.map(({ button }) => button)]) button.disabled = !state;
    if (before !== undefined && before !== `${does}`) changed();
    before = `${does}`;
    if (state) seen(state);
  }

  async function act(work: () => Promise<void>): Promise<void> {
    await work().catch(() => {});
    await look();
  }

  async function lookAgain(): Promise<void> {
    await look();
    setTimeout(lookAgain, OFTEN);
  }
  void lookAgain();
}

function ledgerText({ ledger }: ServerState): string {
  if (ledger.length === 0) return 'The server’s ledger is empty.';
  const sum = (of: 'seen' | 'applied'): number => ledger.reduce((total, entry) => total + entry[of], 0);
  return `The server’s ledger: ${count(ledger.length, 'order')}, received ${times(sum('seen'))}, applied ${times(sum('applied'))}.`;
}
