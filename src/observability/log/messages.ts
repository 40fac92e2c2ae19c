import { categoryOf } from '../../core/outcome.ts';
import type { Category } from '../../primitives/failure.ts';

/** Facts for a message; none of them is secret. */
export interface MessageFacts {
  readonly category: Category;
  /** The same may succeed later. */
  readonly transient: boolean;
  /** When it makes sense to come back; wall time in ms. */
  readonly retryAt?: number;
  /** For a support desk: it is in the logs. */
  readonly callId?: string;
}

/** A sentence, or a function that makes one. */
export type Message = string | ((facts: MessageFacts) => string);

/** By the code of an error (`'outbox-full'`), a status (`'404'`) or a category, of which the first that is there counts. */
export type Messages = Readonly<Record<string, Message>>;

const ENGLISH: Readonly<Record<Category, string>> & Messages = {
  network: 'There is no connection to the service. Check your network and try again.',
  timeout: 'The service takes too long to answer. Try again in a moment.',
  'rate-limit': 'There were too many requests. Wait a moment and try again.',
  server: 'The service has a problem of its own. Try again later.',
  client: 'This could not be done.',
  auth: 'Sign in again to go on.',
  validation: 'Some of what you entered is not accepted. Check it and try again.',
  conflict: 'This was changed since you opened it. Look at the new version and try again.',
  parse: 'The service gave an answer that could not be understood.',
  'circuit-open': 'The service cannot be reached just now. Try again in a moment.',
  capacity: 'Too much is going on at once. Wait a moment and try again.',
  storage: 'This device could not store the data. It may be out of space.',
  aborted: 'This was cancelled.',
  configuration: 'Something went wrong.',
  unknown: 'Something went wrong.',
  403: 'You may not do this.',
  404: 'This does not exist, or not any more.',
  413: 'This is too large to be sent.',
  'too-large': 'This is too large to be sent.',
  'outbox-full': 'Too many changes wait to be sent. Go online first.',
  'sign-in': 'Sign in again to go on.',
};

/**
 * A short sentence for the user of the application: chosen by the kind of failure, and never with text of the error itself.
 *
 * @param failure The thrown value, or a response that is a failure.
 * @param messages Other sentences, or in another language. Where one is missing, or throws, it is the English one.
 *
 * @example
 * const german = { network: 'Keine Verbindung.', 404: 'Das gibt es nicht.' };
 * show(userMessage(error, german));
 */
export function userMessage(failure: unknown, messages: Messages = {}): string {
  const category = categoryOf(failure) ?? 'unknown';
  const { code, transient, retryAt, callId, status } = factsOf(failure);
  const facts: MessageFacts = {
    category,
    transient: transient === true,
    ...(typeof retryAt === 'number' && { retryAt }),
    ...(typeof callId === 'string' && { callId }),
  };
  const names = [code, status, category].filter((name): name is string => typeof name === 'string');
  for (const name of names)
    for (const own of [messages, ENGLISH]) {
      const said = Object.hasOwn(own, name) ? textOf(own[name], facts) : undefined;
      if (said !== undefined) return said;
    }
  return ENGLISH.unknown;
}

/** A thrown value may even have properties that throw. */
function factsOf(failure: unknown): Record<string, unknown> {
  try {
    const { code, transient, retryAt, callId, response } = (failure ?? {}) as Record<string, unknown>;
    const failed = failure instanceof Response ? failure : response;
    const status = failed instanceof Response ? String(failed.status) : undefined;
    return { code, transient, retryAt, callId, status };
  } catch {
    return {};
  }
}

/** @returns `undefined` if the function of a message fails. */
function textOf(message: Message | undefined, facts: MessageFacts): string | undefined {
  try {
    const said = typeof message === 'function' ? message(facts) : message;
    return typeof said === 'string' && said !== '' ? said : undefined;
  } catch {
    return undefined;
  }
}
