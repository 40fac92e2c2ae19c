import { checkCount, startCounting } from './expect.ts';
import { titleOf } from './titles.ts';

declare const Deno: {
  test(definition: {
    name: string;
    ignore: boolean;
    only: boolean;
    sanitizeOps: boolean;
    sanitizeResources: boolean;
    fn(): Promise<void>;
  }): void;
};

type Task = (...values: never[]) => unknown;
type Hook = () => unknown;
type Options = number | { readonly timeout?: number };
/** Options may stand before the body or, as a number only, after it. */
type Rest = readonly [body: Task, options?: Options] | readonly [options: Options, body: Task];
type Define = (title: string, ...rest: Rest) => void;

type Mode = 'run' | 'skip' | 'only';

interface Suite {
  readonly title: string;
  readonly mode: Mode;
  readonly parent?: Suite;
  readonly hooks: Record<'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll', Hook[]>;
  /** Tests in here, at any depth, that have yet to end. */
  open: number;
  /** Settles when every `beforeAll` has run, which the first test in here sees to. */
  prepared?: Promise<void>;
}

const DEFAULT_TIMEOUT = 30_000;

let current: Suite = suite('', 'run');

/** What the test that runs wants done at its end. Deno runs one at a time. */
const finishing: Hook[] = [];

export const beforeAll = (hook: Hook) => void current.hooks.beforeAll.push(hook);
export const beforeEach = (hook: Hook) => void current.hooks.beforeEach.push(hook);
// Vitest runs these last in, first out.
export const afterEach = (hook: Hook) => void current.hooks.afterEach.unshift(hook);
export const afterAll = (hook: Hook) => void current.hooks.afterAll.unshift(hook);

export const onTestFinished = (hook: Hook) => void finishing.unshift(hook);

export const describe = withVariants(defineSuite);
export const test = withVariants(defineTest);

function withVariants(define: (mode: Mode, title: string, rest: Rest) => void) {
  const inMode =
    (mode: Mode): Define =>
    (title, ...rest) =>
      define(mode, title, rest);
  const each =
    (define: Define) =>
    (table: readonly unknown[]): Define =>
    (title, ...rest) => {
      const [body, options] = bodyAndOptions(rest);
      for (const [index, row] of table.entries()) {
        const values = (Array.isArray(row) ? row : [row]) as never[];
        define(titleOf(title, values, index), () => body(...values), options);
      }
    };
  const variant = (mode: Mode) => Object.assign(inMode(mode), { each: each(inMode(mode)) });
  return Object.assign(variant('run'), {
    skip: variant('skip'),
    only: variant('only'),
    skipIf: (condition: unknown) => variant(condition ? 'skip' : 'run'),
    runIf: (condition: unknown) => variant(condition ? 'run' : 'skip'),
  });
}

function suite(title: string, mode: Mode, parent?: Suite): Suite {
  const hooks = { beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] };
  return { title, mode, hooks, open: 0, ...(parent && { parent }) };
}

function defineSuite(mode: Mode, title: string, rest: Rest): void {
  const [body] = bodyAndOptions(rest);
  const outer = current;
  current = suite(title, mode, outer);
  try {
    body();
  } finally {
    current = outer;
  }
}

function defineTest(mode: Mode, title: string, rest: Rest): void {
  const [body, { timeout = DEFAULT_TIMEOUT }] = bodyAndOptions(rest);
  const suites = outermostFirst(current);
  const modes = [mode, ...suites.map((around) => around.mode)];
  const ignore = modes.includes('skip');
  if (!ignore) for (const around of suites) around.open++;
  Deno.test({
    name: [...suites.map((around) => around.title), title].filter(Boolean).join(' > '),
    ignore,
    only: modes.includes('only'),
    // What is left open at the end is a question of its own, and not the same one in every runtime.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => run(body, suites, timeout),
  });
}

async function run(body: Task, suites: readonly Suite[], timeout: number): Promise<void> {
  const innermostFirst = suites.toReversed();
  startCounting();
  try {
    for (const around of suites) await prepare(around);
    for (const around of suites) await runAll(around.hooks.beforeEach);
    await within(timeout, body);
    checkCount();
  } finally {
    for (const around of innermostFirst) await runAll(around.hooks.afterEach);
    await runAll(finishing.splice(0));
    for (const around of innermostFirst) if (--around.open === 0) await runAll(around.hooks.afterAll);
  }
}

function prepare(around: Suite): Promise<void> {
  around.prepared ??= runAll(around.hooks.beforeAll);
  return around.prepared;
}

async function runAll(hooks: readonly Hook[]): Promise<void> {
  for (const hook of hooks) await hook();
}

async function within(ms: number, body: Task): Promise<void> {
  const tooLong = Promise.withResolvers<never>();
  const timer = setTimeout(() => tooLong.reject(new Error(`Test timed out in ${ms}ms`)), ms);
  try {
    await Promise.race([body(), tooLong.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function outermostFirst(innermost: Suite): Suite[] {
  const { parent } = innermost;
  return parent ? [...outermostFirst(parent), innermost] : [innermost];
}

function bodyAndOptions([first, second]: Rest): [Task, { readonly timeout?: number }] {
  const [body, options] =
    typeof first === 'function' ? [first, second as Options | undefined] : [second as Task, first];
  return [body, typeof options === 'number' ? { timeout: options } : (options ?? {})];
}
