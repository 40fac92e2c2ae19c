import { type PlainBreakerOptions, readPlainBreakerOptions } from '../policies/breaker/plain-options.ts';
import { type RetryOptions, readPlan } from '../policies/retry/options.ts';
import { readLimits, type TimeoutOptions } from '../policies/timeout.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import { expected, isObject, oneOf, readSettings, wellFormedString } from '../primitives/validate.ts';

/** Options that environment variables can give. */
export interface EnvOptions {
  readonly baseUrl?: string;
  readonly name?: string;
  readonly timeout?: TimeoutOptions | false;
  readonly retry?: RetryOptions | false;
  readonly breaker?: PlainBreakerOptions | false;
}

export interface OptionsFromEnvOptions {
  /** The prefix of the variables. Default `'HOLDFAST_'`. */
  readonly prefix?: string;
  /** Whether an unknown variable with that prefix is an error. Default `'error'`. */
  readonly unknown?: 'error' | 'ignore';
}

type Part = 'timeout' | 'retry' | 'breaker';

/** Options of each part that text can say. */
const PLAIN = {
  timeout: ['total', 'attempt', 'idle'] satisfies (keyof TimeoutOptions)[],
  retry: [
    'limit',
    'methods',
    'statusCodes',
    'afterStatusCodes',
    'backoffLimit',
    'jitter',
    'maxRetryAfter',
    'retryOnTimeout',
    'bodyLimit',
    'until',
    'idempotencyKey',
    'budget',
  ] satisfies (keyof RetryOptions)[],
  breaker: [
    'failures',
    'openFor',
    'maxOpenFor',
    'successes',
    'probeTimeout',
    'maxWait',
    'slowStart',
  ] satisfies (keyof PlainBreakerOptions)[],
} as const;

/** The option that the variable of a whole part sets: `TIMEOUT=5s`, `RETRY=3`. */
const SHORT: Readonly<Partial<Record<Part, string>>> = { timeout: 'attempt', retry: 'limit' };

const LISTS: readonly string[] = ['methods', 'statusCodes', 'afterStatusCodes'];

const readers: Readonly<Record<Part, (options: never) => unknown>> = {
  timeout: (options: TimeoutOptions) => readLimits(options),
  retry: readPlan,
  breaker: readPlainBreakerOptions,
};

/**
 * Options from environment variables, checked as those of the code are; errors name the variable.
 *
 * `TIMEOUT` (the attempt's), `RETRY` (the limit) and `BREAKER` may also be `false`; each option that text can say has a
 * variable of its own, such as `TIMEOUT_TOTAL`, `RETRY_BACKOFF_LIMIT`, `BREAKER_OPEN_FOR`; lists have commas. Besides
 * `BASE_URL` and `NAME`. All with the prefix. An empty variable says nothing.
 *
 * @param env `process.env`, `Deno.env.toObject()`, a Worker's bindings, `import.meta.env`. Values other than text, numbers
 *   and booleans are ignored.
 * @throws {ConfigurationError} for a value that is not allowed, which is shown only where it is short and plain; and for
 *   a variable that is not known.
 *
 * @example
 * const api = createClient({ ...optionsFromEnv(process.env), partition: 'public' });
 */
export function optionsFromEnv(env: object, options: OptionsFromEnvOptions = {}): EnvOptions {
  const { prefix, unknown } = readSettings(
    'optionsFromEnv',
    { prefix: ['HOLDFAST_', wellFormedString], unknown: ['error' as const, oneOf('error', 'ignore')] },
    options,
  );
  const said = new Map<string, unknown>();
  for (const [variable, value] of Object.entries(
    expected('an object', isObject(env), env, 'optionsFromEnv.env'),
  ))
    if (variable.startsWith(prefix) && isSaid(value)) said.set(variable, value);

  const read: Record<string, unknown> = {};
  const take: Take = (name) => {
    const variable = prefix + name;
    if (!said.has(variable)) return undefined;
    const value = said.get(variable);
    said.delete(variable);
    return { variable, value };
  };
  const url = take('BASE_URL');
  if (url) {
    const { variable, value } = url;
    read.baseUrl = checked(variable, value, 'an absolute URL (http or https)', isWeb(String(value)));
  }
  const name = take('NAME');
  if (name) read.name = String(name.value);
  for (const part of Object.keys(PLAIN) as Part[]) {
    const found = readPart(part, take);
    if (found !== undefined) read[part] = found;
  }
  const [stranger] = said.keys();
  if (stranger !== undefined && unknown === 'error')
    throw new ConfigurationError(stranger, undefined, `unknown variable; known: ${known(prefix).join(', ')}`);
  return read;
}

type Take = (name: string) => { variable: string; value: unknown } | undefined;

function readPart(part: Part, take: Take): object | false | undefined {
  const variables: Record<string, string> = {};
  const options: Record<string, unknown> = {};
  const say = (option: string, variable: string, value: unknown): void => {
    options[option] = value;
    variables[option] = variable;
    asOf(variable, value, () => readers[part]({ [option]: value } as never));
  };
  const whole = take(inCapitals(part));
  const value = whole && parsed(whole.value);
  const option = SHORT[part];
  if (whole && option === undefined)
    checked(whole.variable, whole.value, 'true or false', typeof value === 'boolean');
  else if (whole && value !== false) say(option as string, whole.variable, value);
  for (const option of PLAIN[part]) {
    const own = take(`${inCapitals(part)}_${inCapitals(option)}`);
    if (own) say(option, own.variable, LISTS.includes(option) ? listed(own.value) : parsed(own.value));
  }
  if (value === false) return false;
  // Each option may be valid, and their combination not.
  asOf(Object.values(variables).join(', '), undefined, () => readers[part](options as never));
  return whole || Object.keys(options).length > 0 ? options : undefined;
}

/** Says it of the variable. */
function asOf(variable: string, value: unknown, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(variable, shown(value), error.allowed);
  }
}

function checked<T>(variable: string, value: T, allowed: string, isAllowed: boolean): T {
  if (isAllowed) return value;
  throw new ConfigurationError(variable, shown(value), `expected ${allowed}`);
}

/** A long or odd value is not shown: it may be a secret in the wrong variable. */
const shown = (value: unknown): unknown =>
  value === undefined || (typeof value === 'string' && !/^[\w.%+-]{0,12}$/.test(value)) ? '…' : value;

/** `localhost:3000` is a URL as well, of a scheme called `localhost`. */
const isWeb = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);

const isSaid = (value: unknown): boolean =>
  (typeof value === 'string' && value.trim() !== '') ||
  typeof value === 'number' ||
  typeof value === 'boolean';

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const text = value.trim();
  if (text === 'true' || text === 'false') return text === 'true';
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

const listed = (value: unknown): unknown[] => String(value).split(',').map(parsed);

/** `backoffLimit`: `BACKOFF_LIMIT`. */
const inCapitals = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

const known = (prefix: string): string[] => [
  ...['BASE_URL', 'NAME'].map((name) => prefix + name),
  ...(Object.keys(PLAIN) as Part[]).flatMap((part) =>
    ['', ...PLAIN[part]].map((option) => prefix + inCapitals(part) + (option && `_${inCapitals(option)}`)),
  ),
];
