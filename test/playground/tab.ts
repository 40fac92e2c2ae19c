import { expect } from 'vitest';

/** The playground as a person has it in front of them. */
export interface Tab {
  reload(): Promise<void>;
  /** The text under a heading. */
  read(heading: string): Promise<string>;
  click(button: string): Promise<void>;
  fill(label: string, text: string): Promise<void>;
  /** What is filled in. */
  value(label: string): Promise<string>;
}

/** A browser with a profile of its own. */
export interface Browser {
  open(url: string): Promise<Tab>;
  /** Closes what is open, and opens nothing yet. What pages have stored stays. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

/** Waits until it can be read under a heading. */
export const sees = (tab: Tab, heading: string, text: string | RegExp): Promise<void> =>
  expect.poll(() => tab.read(heading), { timeout: 90_000, interval: 100 }).toMatch(text);

export async function place(tab: Tab, item: string): Promise<void> {
  await tab.fill('Item', item);
  await tab.click('Order');
}

type Evaluate = (body: string, ...args: string[]) => Promise<unknown>;

/** A tab of a browser that can do no more than run scripts in it. */
export function scripted(evaluate: Evaluate, reload: () => Promise<void>): Tab {
  const act = async (body: string, ...args: string[]): Promise<void> => {
    if (!(await evaluate(body, ...args))) throw new Error(`There is no ${args[0]}`);
  };
  return {
    reload,
    read: async (heading) => String(await evaluate(read, heading)),
    click: (button) => act(click, button),
    fill: (label, text) => act(fill, label, text),
    value: async (label) => String(await evaluate(value, label)),
  };
}

const read = `
  const heading = [...document.querySelectorAll('h2')].find(({ textContent }) => textContent === arguments[0]);
  return heading?.closest('section').innerText ?? '';`;

const click = `
  const name = (button) => button.ariaLabel ?? button.textContent;
  const button = [...document.querySelectorAll('button')].find((button) => name(button) === arguments[0]);
  button?.click();
  return Boolean(button);`;

const control = `
  const label = [...document.querySelectorAll('label')].find(({ textContent }) => textContent === arguments[0]);
  const control = label?.control ?? document.querySelector('[aria-label="' + arguments[0] + '"]');`;

const value = `${control}
  return control?.value ?? '';`;

const fill = `${control}
  if (control) control.value = arguments[1];
  return Boolean(control);`;
