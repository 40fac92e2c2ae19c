import { expect } from 'vitest';

/** The playground as a visitor has it on the screen. */
export interface Tab {
  reload(): Promise<void>;
  /** The text of the region with this name. */
  read(region: string): Promise<string>;
  /** Clicks the first element with this role and name. */
  click(name: string | RegExp, role?: Role): Promise<void>;
  fill(label: string, text: string): Promise<void>;
  /** Chooses an option of a list by its text. */
  choose(label: string, option: string): Promise<void>;
  /** What is filled in. */
  value(label: string): Promise<string>;
}

type Role = 'button' | 'tab' | 'option';

/** A browser with a profile of its own. */
export interface Browser {
  open(url: string): Promise<Tab>;
  /** Closes what is open, and opens nothing yet. What pages have stored stays. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

/** Waits until it can be read in a region. */
export const sees = (tab: Tab, region: string, text: string | RegExp): Promise<void> =>
  expect.poll(() => tab.read(region), { timeout: 90_000, interval: 100 }).toMatch(text);

export async function place(tab: Tab, item: string): Promise<void> {
  await tab.fill('Item', item);
  await tab.click('Order');
}

/** The region of the devtools. */
export const DEVTOOLS = 'holdfast devtools';

/** Shows a panel of the devtools, and opens them if they are closed. */
export async function openDevtools(tab: Tab, panel: string): Promise<void> {
  if (!(await tab.read(DEVTOOLS))) await tab.click(/^holdfast/);
  await tab.click(panel, 'tab');
}

/** Shows the dead letters, and selects the oldest. */
export async function openDeadLetter(tab: Tab): Promise<void> {
  await openDevtools(tab, 'Outbox');
  await tab.choose('Entries', 'Dead letters');
  await sees(tab, DEVTOOLS, '1 dead');
  await tab.click(/orders/, 'option');
}

type Evaluate = (body: string, ...args: string[]) => Promise<unknown>;

/** A tab of a browser that can do no more than run scripts in it. */
export function scripted(evaluate: Evaluate, reload: () => Promise<void>): Tab {
  const act = async (body: string, ...args: string[]): Promise<void> => {
    if (!(await evaluate(LOOK + body, ...args))) throw new Error(`There is no ${args.join(' ')}`);
  };
  return {
    reload,
    read: async (region) => String(await evaluate(LOOK + read, region)),
    click: (name, role = 'button') =>
      act(click, ...(typeof name === 'string' ? [name, ''] : ['', name.source]), role),
    fill: (label, text) => act(fill, label, text),
    choose: (label, option) => act(choose, label, option),
    value: async (label) => String(await evaluate(LOOK + value, label)),
  };
}

/** The page and the devtools, which live in a shadow root. */
const LOOK = `
  const roots = [document, document.querySelector('holdfast-devtools')?.shadowRoot].filter(Boolean);
  const all = (selector) => roots.flatMap((root) => [...root.querySelectorAll(selector)])
    .filter((element) => element.getClientRects().length > 0);
  const name = (element) => (element.ariaLabel ?? element.textContent).trim();
  const control = (label) => all('[aria-label="' + label + '"]')[0]
    ?? all('label').find(({ textContent }) => textContent === label)?.control;`;

const read = `
  const region = all('section').find((section) => section.ariaLabel === arguments[0]
    || section.querySelector('h2')?.textContent === arguments[0]);
  return region?.innerText ?? '';`;

const click = `
  const [exact, pattern, role] = arguments;
  const target = all(role === 'button' ? 'button:not([role])' : '[role=' + role + ']')
    .find((element) => pattern ? new RegExp(pattern).test(name(element)) : name(element) === exact);
  target?.click();
  return Boolean(target);`;

const fill = `
  const target = control(arguments[0]);
  if (target) target.value = arguments[1];
  return Boolean(target);`;

const choose = `
  const target = control(arguments[0]);
  const option = [...target?.options ?? []].find(({ text }) => text === arguments[1]);
  if (option) target.value = option.value;
  target?.dispatchEvent(new Event('change', { bubbles: true }));
  return Boolean(option);`;

const value = `
  return control(arguments[0])?.value ?? '';`;
