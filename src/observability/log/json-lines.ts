import type { HoldfastEvent } from '../../core/events.ts';
import { systemHost } from '../../core/host.ts';
import { integer, ofType, oneOf, readSettings } from '../../primitives/validate.ts';
import type { Listener } from './listeners.ts';
import { recordOf } from './record.ts';
import type { Severity } from './severity.ts';

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

export const SEVERITIES: readonly Severity[] = ['expected', 'unexpected', 'critical'];

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
