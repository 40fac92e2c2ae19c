import { badge, byId, h, write } from '../dom.ts';
import { heal, look, make, origin, troubles } from '../origin.ts';

/** Buttons that break the origin and mend it, and how it is. */
export function showOrigin(): void {
  const buttons = troubles.map((trouble) => ({
    trouble,
    button: h('button', { type: 'button', onclick: () => act(() => make(trouble)) }, trouble.label),
  }));
  const well = h('button', { type: 'button', className: 'main', onclick: () => act(heal) }, 'Heal');
  byId('origin-buttons').append(...buttons.map(({ button }) => button), well);
  write(byId('origin-url'), origin.url);

  async function show(): Promise<void> {
    const { reachable, trouble, otherwise, ledger } = await look();
    const says = trouble?.says ?? (otherwise ? `misbehaves: ${otherwise}` : 'is well.');
    const [word, tone] = !reachable
      ? (['not running', 'bad'] as const)
      : trouble || otherwise
        ? (['broken', 'bad'] as const)
        : (['well', 'good'] as const);
    badge(byId('origin-badge'), word, tone);
    write(
      byId('origin-says'),
      reachable ? `The origin ${says}` : 'Nothing runs at its address, not even its control.',
    );
    write(
      byId('origin-ledger'),
      ledger
        ? `Its ledger: ${count(ledger.writes, 'write')}, sent ${count(ledger.sent, 'time')}, applied ${count(ledger.applied, 'time')}.`
        : '',
    );
    for (const { trouble: each, button } of buttons) button.ariaPressed = String(each === trouble);
    for (const button of [well, ...buttons.map(({ button }) => button)]) button.disabled = !reachable;
  }

  async function act(what: () => Promise<void>): Promise<void> {
    await what().catch(() => {});
    await show();
  }

  // Other tabs, and whoever runs the origin, change it too.
  const again = async (): Promise<void> => {
    await show();
    setTimeout(again, 1000);
  };
  void again();
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
