import type { HoldfastEvent } from '../../core/events.ts';
import { systemHost } from '../../core/host.ts';
import { dropOldest } from '../../primitives/lru.ts';
import { oneOf, readSettings, withMethods } from '../../primitives/validate.ts';
import { SEVERITIES } from './json-lines.ts';
import type { Listener } from './listeners.ts';
import { type LogRecord, recordOf } from './record.ts';
import type { Severity } from './severity.ts';

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
      dropOldest(asked, MOST);
    }
    if (QUIET.includes(event.type)) return;
    const what = 'callId' in event ? (asked.get(event.callId) ?? event.origin) : '';
    if (event.type === 'call-ended') asked.delete(event.callId);
    if (SEVERITIES.indexOf(record.severity) < SEVERITIES.indexOf(level)) return;
    const text = event.type === 'call-ended' ? ended(event, record) : `${event.type} ${facts(record)}`;
    out[METHODS[record.severity]](`holdfast  ${`${what} ${text}`.trim()}`);
  };
}

const MOST = 1_000;

function ended(event: Extract<HoldfastEvent, { type: 'call-ended' }>, record: LogRecord): string {
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
