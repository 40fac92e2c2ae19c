import { chromium as playwright } from 'playwright';
import puppeteer, { type KeyInput } from 'puppeteer-core';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium, firefox, missingForWebkit } from '../../tools/runtimes/installed.ts';
import { launchWebKit } from '../../tools/runtimes/webkit.ts';

/** A user of the devtools: they see roles and names, and press keys. */
export interface Hands {
  open(url: string): Promise<void>;
  /** Runs the body of a function in the page. */
  run(body: string, ...args: string[]): Promise<unknown>;
  /** Presses a key where the focus is. */
  press(key: KeyInput): Promise<void>;
  click(role: string, name: string): Promise<void>;
  fill(name: string, text: string): Promise<void>;
  /** All that is to be seen of the devtools. */
  text(): Promise<string>;
  /** Role and name of what has the focus. */
  focused(): Promise<string>;
  close(): Promise<void>;
}

interface Known {
  readonly name: string;
  readonly missing: string | undefined;
  launch(): Promise<Hands>;
}

export const browsers: readonly Known[] = [
  { name: 'Chromium', missing: chromium ? undefined : 'no Chromium', launch: inChromium },
  { name: 'Firefox', missing: firefox ? undefined : 'no Firefox', launch: inFirefox },
  { name: 'WebKit', missing: missingForWebkit(), launch: inWebKit },
];

async function inChromium(): Promise<Hands> {
  const browser = await playwright.launch(chromiumOptions);
  const page = await browser.newPage();
  return hands({
    open: async (url) => void (await page.goto(url)),
    run: (body, ...args) => page.evaluate(`(function () { ${body} })(...${JSON.stringify(args)})`),
    press: (key) => page.keyboard.press(key),
    close: () => browser.close(),
  });
}

async function inFirefox(): Promise<Hands> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox ?? '',
    headless: true,
    timeout: 60_000,
  });
  const page = await browser.newPage();
  return hands({
    open: async (url) => void (await page.goto(url)),
    run: (body, ...args) => page.evaluate(`(function () { ${body} })(...${JSON.stringify(args)})`),
    press: (key) => page.keyboard.press(key),
    close: () => browser.close(),
  });
}

/** Its driver is asked to run scripts only: keys are events that a script makes. */
async function inWebKit(): Promise<Hands> {
  const browser = await launchWebKit();
  return hands({
    open: browser.open,
    run: browser.evaluate,
    press: async (key) =>
      void (await browser.evaluate(
        `${LOOK}
        const target = root.activeElement ?? document.body;
        const isTaken = !target.dispatchEvent(
          new KeyboardEvent('keydown', { key: arguments[0], bubbles: true, composed: true, cancelable: true }));
        if (!isTaken && arguments[0] === 'Enter') target.click();`,
        key,
      )),
    close: browser.close,
  });
}

type Basic = Pick<Hands, 'open' | 'run' | 'press' | 'close'>;

function hands({ open, run, press, close }: Basic): Hands {
  const act = async (body: string, what: string, ...more: string[]): Promise<void> => {
    const found = await run(LOOK + body, what, ...more);
    if (!found) throw new Error(`There is no ${[what, ...more].join(' ')}`);
  };
  return {
    open,
    run,
    press,
    close,
    click: (role, name) =>
      act(
        'const found = find(arguments[0], arguments[1]); found?.click(); return Boolean(found);',
        role,
        name,
      ),
    fill: (name, text) =>
      act(
        `const found = find('textbox', arguments[0]) ?? find('combobox', arguments[0]);
        if (found) found.value = arguments[1];
        for (const type of ['input', 'change']) found?.dispatchEvent(new Event(type, { bubbles: true }));
        return Boolean(found);`,
        name,
        text,
      ),
    text: async () =>
      String(
        await run(
          `${LOOK} return [...root.children].filter((each) => !each.hidden).map((each) => each.innerText).join(' ');`,
        ),
      ),
    focused: async () =>
      String(
        await run(
          `${LOOK} const at = root.activeElement; return at ? roleOf(at) + ' ' + nameOf(at) : 'none';`,
        ),
      ),
  };
}

/** Roles and names as far as the devtools use them. */
const LOOK = `
  const root = document.querySelector('holdfast-devtools').shadowRoot;
  const roles = { BUTTON: 'button', SELECT: 'combobox', TEXTAREA: 'textbox', INPUT: 'textbox' };
  const roleOf = (element) => element.getAttribute('role') ?? roles[element.tagName];
  const nameOf = (element) => (element.getAttribute('aria-label')
    ?? element.labels?.[0]?.querySelector('span')?.textContent ?? element.textContent).trim();
  const find = (role, name) => [...root.querySelectorAll('*')].find((element) =>
    roleOf(element) === role && nameOf(element).includes(name) && element.getClientRects().length > 0);
`;
