import type { EventOf, HoldfastEvent } from '../../core/events.ts';
import { systemHost } from '../../core/host.ts';
import { notify } from '../../primitives/emitter.ts';
import { hashOf } from '../../primitives/hash.ts';
import { dropOldest } from '../../primitives/lru.ts';
import { between, integer, ofType, oneOf, readSettings, withMethods } from '../../primitives/validate.ts';
import { type LogRecord, recordOf } from './record.ts';
import { type Severity, severityOf } from './severity.ts';

export type Listener = (event: HoldfastEvent) => unknown;

/**
 * Several listeners as one for `onEvent`. If one throws or rejects, the call and the others go on.
 *
 * @example
 * const numbers = metrics();
 * const api = createClient({ onEvent: listeners(numbers.receive, jsonLines()) });
 */
export function listeners(...all: readonly Listener[]): (event: HoldfastEvent) => void {
  for (const each of all) ofType('function')(each, 'listeners');
  return (event) => {
    for (const listener of all) notify(listener, event);
  };
}

/**
 * Passes on a share of the calls, each with all of its events, and the unexpected events of every call.
 *
 * @param share From 0 to 1.
 *
 * @example
 * const fetch = createFetch({ onEvent: sampled(0.01, jsonLines()) });
 */
export function sampled(share: number, listener: Listener): Listener {
  between(0, 1)(share, 'sampled.share');
  ofType('function')(listener, 'sampled.listener');
  return (event) => {
    if (severityOf(event) !== 'expected' || portion(idOf(event)) < share) return listener(event);
    return undefined;
  };
}

const idOf = (event: HoldfastEvent): string =>
  'callId' in event ? event.callId : 'id' in event ? event.id : event.type;

/** The same in [0, 1) for the same text. */
function portion(text: string): number {
  let hash = hashOf(text);
  // Its high bits hardly depend on the last characters, by which ids differ.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

export interface JsonLinesOptions {
  /**
   * Takes one or more lines, each with its line break. Further lines wait while its promise is pending. Default: the
   * console, one line at a time.
   */
  readonly write?: (lines: string) => unknown;
  /** Nothing less severe is written. Default `'expected'`: everything. */
  readonly level?: Severity;
  /** So many lines may wait for `write`; more are dropped, and counted in the next line that is written. Default 1,000. */
  readonly most?: number;
}

const SEVERITIES: readonly Severity[] = ['expected', 'unexpected', 'critical'];

/**
 * For servers: each event as a line of JSON, with nothing secret in it.
 *
 * @example
 * const fetch = createFetch({ onEvent: jsonLines({ level: 'unexpected' }) });
 */
export function jsonLines(options: JsonLinesOptions = {}): Listener {
  const { write, level, most } = readSettings(
    'jsonLines',
    {
      write: [toConsole, ofType<(lines: string) => unknown>('function')],
      level: ['expected' as const, oneOf(...SEVERITIES)],
      most: [1_000, integer(1)],
    },
    options,
  );
  const { clock } = systemHost;
  let waiting: string[] = [];
  let dropped = 0;
  let writing = false;

  const flush = async (): Promise<void> => {
    writing = true;
    // Events of the same step are written together.
    await Promise.resolve();
    while (waiting.length > 0 || dropped > 0) {
      const lines = waiting;
      if (dropped > 0)
        lines.push(line({ time: new Date(clock.now()).toISOString(), type: 'dropped', count: dropped }));
      waiting = [];
      dropped = 0;
      try {
        await write(lines.join(''));
      } catch {
        // The lines are lost: a log must not fail a call.
      }
    }
    writing = false;
  };

  return (event: HoldfastEvent) => {
    const record = recordOf(event, clock.now());
    if (SEVERITIES.indexOf(record.severity) < SEVERITIES.indexOf(level)) return;
    if (waiting.length < most) waiting.push(line(record));
    else dropped++;
    if (!writing) void flush();
  };
}

function toConsole(lines: string): void {
  const { log } = globalThis.console;
  log(lines.trimEnd());
}

const line = (record: object): string => `${JSON.stringify(record)}\n`;

export type ConsoleLike = Pick<Console, 'debug' | 'warn' | 'error'>;

export interface ConsoleListenerOptions {
  readonly console?: ConsoleLike;
  /** Nothing less severe is written. Default `'expected'`: how each call ended, and each decision on the way. */
  readonly level?: Severity;
}

/** The line for the end of the call covers these. */
const QUIET: readonly HoldfastEvent['type'][] = [
  'call-started',
  'attempt-started',
  'attempt-ended',
  'cache-stored',
];

const METHODS = { expected: 'debug', unexpected: 'warn', critical: 'error' } as const;

/**
 * For development: a line for each call that ends, such as `GET https://api.example.com/orders 200 in 34 ms, 2 attempts, stale`, and
 * for each decision on the way.
 *
 * @example
 * const fetch = createFetch({ onEvent: consoleListener({ level: 'unexpected' }) });
 */
export function consoleListener(options: ConsoleListenerOptions = {}): Listener {
  const { console: out, level } = readSettings(
    'consoleListener',
    {
      console: [globalThis.console, withMethods<ConsoleLike>('a console', 'debug', 'warn', 'error')],
      level: ['expected' as const, oneOf(...SEVERITIES)],
    },
    options,
  );
  /** Method and URL of the calls in flight; bounded, as a call may never end. */
  const asked = new Map<string, string>();
  return (event: HoldfastEvent) => {
    const record = recordOf(event, systemHost.clock.now());
    if (event.type === 'call-started') {
      asked.set(event.callId, `${event.method} ${record.url}`);
      dropOldest(asked, 1_000);
    }
    if (QUIET.includes(event.type)) return;
    const what = 'callId' in event ? (asked.get(event.callId) ?? event.origin) : '';
    if (event.type === 'call-ended') asked.delete(event.callId);
    if (SEVERITIES.indexOf(record.severity) < SEVERITIES.indexOf(level)) return;
    const text = event.type === 'call-ended' ? ended(event, record) : `${event.type} ${facts(record)}`;
    out[METHODS[record.severity]](`holdfast  ${`${what} ${text}`.trim()}`);
  };
}

function ended(event: EventOf<'call-ended'>, record: LogRecord): string {
  const { status, duration, attempts, source } = event;
  const failure = record.error as { code?: string; name?: string } | undefined;
  const parts = [
    `${failure ? (failure.code ?? failure.name) : status} in ${Math.round(duration)} ms`,
    attempts.length === 1 ? '' : `${attempts.length} attempts`,
    source && source !== 'network' ? source : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const UNTOLD: readonly string[] = ['time', 'severity', 'type', 'callId'];

const facts = (record: LogRecord): string =>
  Object.entries(record)
    .filter(([name]) => !UNTOLD.includes(name))
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(' ');
