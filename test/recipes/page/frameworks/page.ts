/** Shared by the pages of all frameworks: the shop, a form, and the texts that the tests read. */
import { type Orders, openShop, saveOrder, type Unsent } from '../../../../docs/recipes/orders.ts';

export const shop = openShop(new URLSearchParams(location.search).get('origin') ?? '', () => 'ann');
// The tests ask it for what is cached.
Object.assign(globalThis, { shop });

export const ordersText = ({ list, isOld, problem }: Orders): string =>
  problem ?? `${list.map(({ item }) => item)}${isOld ? ' (old)' : ''}`;

export const unsentText = (unsent: readonly Unsent[]): string =>
  `${unsent.map(({ item, state }) => `${item} ${state}`)}`;

/** @param unmount Ends the component. @returns where the component goes. */
export function makePage(unmount: () => void): HTMLElement {
  document.body.innerHTML = `
    <main></main>
    <form><input id="item" /><button>Save</button></form>
    <output id="saved"></output>
    <button id="unmount">Unmount</button>`;
  const find = <E extends HTMLElement>(selector: string): E => document.querySelector(selector) as E;
  find('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const item = find<HTMLInputElement>('#item').value;
    find('#saved').textContent = await saveOrder(shop, { id: item, item }).catch(
      (error: Error) => error.name,
    );
  });
  find('#unmount').addEventListener('click', unmount);
  return find('main');
}
