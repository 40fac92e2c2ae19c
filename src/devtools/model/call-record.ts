import type { Source } from '../../core/outcome.ts';
import type { Why } from './why.ts';
import type { Tone } from './words.ts';

/** One part of a timeline. Without `ms` it is under way; a note takes no time. */
export interface TimelineStep {
  readonly kind: 'attempt' | 'wait' | 'note';
  readonly at: number;
  ms?: number;
  readonly attempt?: number;
  text: string;
  tone: Tone;
}

/** A call of the application, a sending of the outbox, or work in the background. */
export interface CallRecord {
  readonly id: string;
  readonly kind: 'call' | 'sending' | 'background';
  readonly origin: string;
  readonly at: number;
  method: string;
  url: string;
  operation?: string;
  /** The outbox's entry that is sent. */
  entry?: string;
  readonly steps: TimelineStep[];
  /** Steps that were left out, because there were too many. */
  dropped: number;
  /** Why a cached response was served, and its age in seconds. */
  served?: Why & { readonly age: number };
  end?: CallResult;
  /** Known only if the client's transport is watched. */
  request?: readonly (readonly [string, string])[];
  response?: readonly (readonly [string, string])[];
  /** Changes with every change of the record. */
  version: number;
}

export interface CallResult {
  readonly ms: number;
  readonly text: string;
  readonly tone: Tone;
  readonly source?: Source;
  readonly status?: number;
}

/** A call that is retried for hours does not grow for ever. */
const MOST_STEPS = 100;

/** What comes next ends a wait. */
export function addStep(call: CallRecord, step: TimelineStep): void {
  const last = call.steps.at(-1);
  if (last?.kind === 'wait') last.ms ??= Math.max(0, step.at - last.at);
  if (call.steps.length < MOST_STEPS) call.steps.push(step);
  else call.dropped++;
}

export const note = (call: CallRecord, at: number, text: string, tone: Tone = 'plain'): void =>
  addStep(call, { kind: 'note', at, ms: 0, text, tone });

export const wait = (call: CallRecord, at: number, text: string): void =>
  addStep(call, { kind: 'wait', at, text, tone: 'waiting' });

/** What is still under way has ended with the call. */
export function endCall(call: CallRecord, at: number, end: CallResult): void {
  for (const step of call.steps)
    if (step.ms === undefined) {
      step.ms = Math.max(0, at - step.at);
      if (step.kind === 'attempt') step.text = 'abandoned';
    }
  call.end = end;
}

export interface CallFilter {
  readonly text: string;
  /** `'2'` to `'5'`: the first digit of the status; `'error'`: no response; `'running'`. */
  readonly status: string;
  readonly source: string;
}

export function passes({ url, method, operation = '', end }: CallRecord, filter: CallFilter): boolean {
  const { text, status, source } = filter;
  if (source && end?.source !== source) return false;
  if (status === 'running' && end) return false;
  if (status === 'error' && (!end || end.status !== undefined)) return false;
  if (/\d/.test(status) && Math.floor((end?.status ?? 0) / 100) !== Number(status)) return false;
  return !text || `${method} ${url} ${operation}`.toLowerCase().includes(text.toLowerCase());
}

/** A call as a command line. Secrets are redacted in the record, so they are not in here. */
export function curlOf({ method, url, request = [] }: CallRecord): string {
  const isBodyKnown = method === 'GET' || method === 'HEAD';
  return [
    `curl -X ${quoted(method)} ${quoted(url)}`,
    ...request.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(isBodyKnown ? [] : [`--data ${quoted('…')}`]),
  ].join(' \\\n  ');
}

/** For a POSIX shell: nothing has a meaning between single quotes. */
const quoted = (text: string): string =>
  // Control characters could speak to the terminal.
  `'${[...text]
    .filter((each) => each >= ' ' && each !== '\u007f')
    .join('')
    .replaceAll("'", `'\\''`)}'`;
