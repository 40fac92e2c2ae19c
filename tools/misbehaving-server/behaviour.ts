import { validateHeaderName, validateHeaderValue } from 'node:http';

/** Faults of the server, by these names in the query or at the control endpoint. */
export interface Behaviour {
  // When and whether there is an answer.
  delay?: number;
  hang?: boolean;
  reset?: boolean;
  unknown?: boolean;
  // The response.
  status?: number;
  retryAfter?: string;
  redirect?: string;
  redirectStatus?: number;
  portal?: boolean;
  auth?: boolean;
  header?: readonly HeaderLine[];
  body?: string;
  size?: number;
  type?: string;
  honourKey?: boolean;
  // How its body arrives.
  resetBody?: boolean;
  stall?: number;
  drip?: number;
  chunk?: number;
  keepAlive?: boolean;
  // The part that a page of another origin may see.
  cors?: boolean;
  expose?: boolean;
  allowHeaders?: string;
  // For which requests.
  times?: number;
  sequence?: readonly Step[];
  failRate?: number;
  failModes?: readonly Step[];
  seed?: number;
  key?: string;
}

/** An empty value takes the header away. */
export type HeaderLine = readonly [name: string, value: string];

/** One element of `sequence` or `failModes`: a status, or a way to fail. */
export type Step = number | keyof typeof modes;

export const modes = {
  ok: {},
  hang: { hang: true },
  reset: { reset: true },
  resetBody: { resetBody: true },
  stall: { stall: 1 },
  portal: { portal: true },
  unknown: { unknown: true },
} satisfies Record<string, Behaviour>;

/** A test asked for a behaviour that does not exist; the message says what was wrong. */
export class BadBehaviour extends Error {
  override readonly name = 'BadBehaviour';
}

type Reader<Value> = (value: unknown, name: string) => Value;

const readers: { [Name in keyof Behaviour]-?: Reader<NonNullable<Behaviour[Name]>> } = {
  delay: wholeNumber,
  hang: flag,
  reset: flag,
  unknown: flag,
  status,
  retryAfter: headerValue,
  redirect: headerValue,
  redirectStatus: status,
  portal: flag,
  auth: flag,
  header: headerLines,
  body: string,
  size: wholeNumber,
  type: headerValue,
  honourKey: flag,
  resetBody: flag,
  stall: wholeNumber,
  drip: wholeNumber,
  chunk: positive,
  keepAlive: flag,
  cors: flag,
  expose: flag,
  allowHeaders: headerValue,
  times: wholeNumber,
  sequence: steps,
  failRate: share,
  failModes: steps,
  seed: wholeNumber,
  key: string,
};

/** Other names in the query belong to the application under test and are left alone. */
export function behaviourFromQuery(query: URLSearchParams): Behaviour {
  const asked: Record<string, unknown> = {};
  for (const name of Object.keys(readers)) {
    if (query.has(name)) asked[name] = name === 'header' ? query.getAll(name) : query.get(name);
  }
  return behaviourFromJson(asked);
}

/** An unknown name is an error here: a misspelt behaviour would let a test pass for the wrong reason. */
export function behaviourFromJson(value: unknown): Behaviour {
  const behaviour: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(fields(value, 'behaviour', Object.keys(readers)))) {
    behaviour[name] = readers[name as keyof Behaviour](given, name);
  }
  return behaviour;
}

/** The members of a JSON object that may have these and no others. */
export function fields(value: unknown, name: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadBehaviour(`${name} must be an object, not ${JSON.stringify(value)}`);
  }
  const stranger = Object.keys(value).find((member) => !known.includes(member));
  if (stranger !== undefined) {
    throw new BadBehaviour(`${name} has no "${stranger}"; it has ${known.join(', ')}`);
  }
  return value as Record<string, unknown>;
}

// Readers take what a query gives, which is text, and what JSON gives, which is typed.

function flag(value: unknown, name: string): boolean {
  if (value === true || value === 1 || value === '1' || value === 'true' || value === '') return true;
  if (value === false || value === 0 || value === '0' || value === 'false') return false;
  throw new BadBehaviour(`${name} must be 1 or 0, not ${JSON.stringify(value)}`);
}

function number(value: unknown, name: string): number {
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof parsed === 'number' && Number.isFinite(parsed)) return parsed;
  throw new BadBehaviour(`${name} must be a number, not ${JSON.stringify(value)}`);
}

export function wholeNumber(value: unknown, name: string): number {
  const parsed = number(value, name);
  // Also the longest delay a timer can hold, and more than anybody wants of a body.
  if (Number.isInteger(parsed) && parsed >= 0 && parsed < 2 ** 31) return parsed;
  throw new BadBehaviour(`${name} must be a whole number from 0 to 2147483647, not ${JSON.stringify(value)}`);
}

function positive(value: unknown, name: string): number {
  const parsed = wholeNumber(value, name);
  if (parsed > 0) return parsed;
  throw new BadBehaviour(`${name} must be at least 1`);
}

export function status(value: unknown, name: string): number {
  const parsed = number(value, name);
  if (Number.isInteger(parsed) && parsed >= 200 && parsed <= 599) return parsed;
  throw new BadBehaviour(`${name} must be a status from 200 to 599, not ${JSON.stringify(value)}`);
}

function share(value: unknown, name: string): number {
  const parsed = number(value, name);
  if (parsed >= 0 && parsed <= 1) return parsed;
  throw new BadBehaviour(`${name} must be from 0 to 1, not ${JSON.stringify(value)}`);
}

export function string(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new BadBehaviour(`${name} must be a string, not ${JSON.stringify(value)}`);
}

function headerValue(value: unknown, name: string): string {
  return headerLine('X', typeof value === 'number' ? String(value) : string(value, name), name)[1];
}

function headerLines(value: unknown, name: string): HeaderLine[] {
  if (!Array.isArray(value)) {
    throw new BadBehaviour(`${name} must be a list of "Name: value", not ${JSON.stringify(value)}`);
  }
  return value.map((line) => {
    const [, header, content] = /^([^:]+):\s*(.*)$/.exec(string(line, name)) ?? [];
    if (header === undefined || content === undefined) {
      throw new BadBehaviour(`${name} must be "Name: value", not ${JSON.stringify(line)}`);
    }
    return headerLine(header, content, name);
  });
}

function headerLine(header: string, value: string, name: string): HeaderLine {
  try {
    validateHeaderName(header);
    validateHeaderValue(header, value);
  } catch (error) {
    throw new BadBehaviour(`${name}: ${(error as Error).message}`);
  }
  return [header, value];
}

function steps(value: unknown, name: string): Step[] {
  const list = typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(list) || list.length === 0) {
    throw new BadBehaviour(`${name} must be a list, not ${JSON.stringify(value)}`);
  }
  return list.map((step) => {
    if (typeof step === 'string' && Object.hasOwn(modes, step)) return step as keyof typeof modes;
    if (typeof step === 'number' || /^\d+$/.test(step)) return status(step, name);
    throw new BadBehaviour(
      `${name} takes statuses and ${Object.keys(modes).join(', ')}, not ${JSON.stringify(step)}`,
    );
  });
}
