import { setTimeout as sleep } from 'node:timers/promises';
import { type Page as PlaywrightPage, chromium as playwright } from 'playwright';
import puppeteer from 'puppeteer-core';
import { chromiumOptions } from '../../../tools/runtimes/browsers.ts';
import { chromium, firefox, missingForWebkit } from '../../../tools/runtimes/installed.ts';
import { launchWebKit } from '../../../tools/runtimes/webkit.ts';
import type { Page } from './page/main.ts';

/** Calls a function of the page, in its runtime. */
export interface Tab<In extends Callable<In> = Page> {
  call<Name extends keyof In>(
    name: Name,
    ...args: Parameters<In[Name]>
  ): Promise<Awaited<ReturnType<In[Name]>>>;
}

type Callable<In> = { [Name in keyof In]: (...args: never[]) => unknown };

export interface Browser {
  /** Opens the page in a tab of its own, beside the open ones. */
  open<In extends Callable<In> = Page>(url: string): Promise<Tab<In>>;
  close(): Promise<void>;
}

interface Known {
  readonly name: string;
  readonly missing: string | undefined;
  launch(): Promise<Browser>;
}

export const browsers: readonly Known[] = [
  { name: 'Chromium', missing: chromium ? undefined : 'no Chromium', launch: launchChromium },
  { name: 'Firefox', missing: firefox ? undefined : 'no Firefox', launch: launchFirefox },
  { name: 'WebKit', missing: missingForWebkit(), launch: launchWebkit },
];

type Evaluate = (body: string, ...args: string[]) => Promise<unknown>;

const tabOver = (evaluate: Evaluate): Tab => ({
  call: (name, ...args) => evaluate(CALL, name, JSON.stringify(args)) as never,
});

const CALL = 'return page[arguments[0]](...JSON.parse(arguments[1]))';

async function launchChromium(): Promise<Browser> {
  const running = await playwright.launch(chromiumOptions);
  const context = await running.newContext();
  return {
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      return tabIn(page);
    },
    close: () => running.close(),
  };
}

/** A page that a test drives in other ways as well. */
export const tabIn = (page: PlaywrightPage): Tab =>
  tabOver((body, ...args) =>
    page.evaluate(([body, args]) => new Function(body)(...args), [body, args] as const),
  );

async function launchFirefox(): Promise<Browser> {
  const running = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox ?? '',
    headless: true,
    timeout: 60_000,
  });
  return {
    async open(url) {
      const page = await running.newPage();
      await page.goto(url);
      return tabOver((body, ...args) =>
        page.evaluate(new Function(body) as (...args: string[]) => unknown, ...args),
      );
    },
    close: () => running.close(),
  };
}

async function launchWebkit(): Promise<Browser> {
  const running = await launchWebKit();
  // Commands go to one window at a time: commands to several wait for each other, and none may wait
  // for its page.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => {});
    return mine;
  };
  return {
    async open(url) {
      const window = await inTurn(async () => {
        const added = await running.addWindow();
        await running.enter(added);
        await running.open(url);
        return added;
      });
      const evaluate: Evaluate = (body, ...args) =>
        inTurn(async () => {
          await running.enter(window);
          return running.evaluate(body, ...args);
        });
      return tabOver(async (_, name, args) => {
        let state = (await evaluate(START, name, args)) as State;
        while ('call' in state) {
          await sleep(20);
          state = (await evaluate(STATE, state.call)) as State;
        }
        if ('error' in state) throw new Error(state.error);
        return state.result;
      });
    },
    close: running.close,
  };
}

type State = { call: string } | { error: string } | { result?: unknown };

// What is no promise is returned at once: the function may leave the page, and its result goes with the page.
const START = `
  const call = crypto.randomUUID();
  const result = page[arguments[0]](...JSON.parse(arguments[1]));
  if (!(result instanceof Promise)) return { result };
  globalThis.ended ??= {};
  result.then(
    (result) => { ended[call] = { result }; },
    (error) => { ended[call] = { error: String(error) }; },
  );
  return { call };`;

const STATE = 'return ended[arguments[0]] ?? { call: arguments[0] }';
