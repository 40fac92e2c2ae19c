/** The instructions for the server, by the names of `tools/misbehaving-server/README.md`. */
export type Behaviour = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/**
 * The limits of a call: short if the fault is silence, else long, so that a busy machine does not
 * count as silence.
 */
export interface Limits {
  readonly attempt: number;
  readonly idle: number;
  readonly hedgeAfter: number;
}

export interface Fault {
  readonly title: string;
  readonly behaviour: Behaviour | ((other: string) => Behaviour);
  readonly limits: Limits;
  /** It makes sense for one request only, too. */
  readonly passes: boolean;
  /** It keeps a connection for a while, of which a browser has six to an origin. */
  readonly holds: boolean;
  /**
   * The server of the connections: the one that closes each after one response, the one that keeps
   * them, or none.
   */
  readonly at: 'fresh' | 'reused' | 'nobody';
}

const patient: Limits = { attempt: 10_000, idle: 10_000, hedgeAfter: 3_000 };
const silent: Limits = { attempt: 900, idle: 400, hedgeAfter: 300 };

/** In ms: longer than the limit of an attempt, shorter than that of a caller without limits. */
const LATE = 1_800;

const fault = (title: string, behaviour: Fault['behaviour'], more: Partial<Fault> = {}): Fault => ({
  title,
  behaviour,
  limits: patient,
  passes: true,
  holds: false,
  at: 'fresh',
  ...more,
});

export const faults = {
  none: fault('No fault', {}, { passes: false }),
  late: fault(
    'The answer comes late, after 1.8 s',
    { delay: LATE },
    { limits: { ...silent, idle: patient.idle }, holds: true },
  ),
  never: fault('No answer comes', { hang: true }, { limits: silent, holds: true }),
  refused: fault('The connection is refused', {}, { passes: false, at: 'nobody' }),
  reset: fault('A new connection is reset before the answer', { reset: true }),
  reused: fault(
    'A connection that was used before is reset before the answer',
    { reset: true },
    { at: 'reused' },
  ),
  lost: fault('The request takes effect, then the connection is reset', { unknown: true }),
  half: fault('The connection ends after half of the body', { size: 100_000, resetBody: true }),
  stalled: fault(
    'The body stalls',
    { size: 1_000, stall: 10 },
    { limits: { ...patient, idle: silent.idle }, holds: true },
  ),
  drips: fault(
    'The body comes in drips, for 0.5 s',
    { size: 160, drip: 50 },
    { limits: { ...patient, idle: silent.idle }, holds: true, passes: false },
  ),
  'status 500': fault('500', { status: 500 }),
  '503 soon': fault('503, `Retry-After: 1`', { status: 503, retryAfter: '1' }),
  '503 in an hour': fault('503, `Retry-After: 3600`', { status: 503, retryAfter: '3600' }),
  'status 429': fault('429, `RateLimit-Remaining: 0`, `RateLimit-Reset: 1`', {
    status: 429,
    header: ['RateLimit-Remaining: 0', 'RateLimit-Reset: 1'],
  }),
  redirect: fault(
    'A redirect to another origin (302)',
    (other) => ({ redirect: other, redirectStatus: 302 }),
    { passes: false },
  ),
  'no CORS': fault('No CORS headers', { cors: false }, { passes: false }),
  'hidden header': fault('503, `Retry-After: 3600`, which CORS does not expose', {
    status: 503,
    retryAfter: '3600',
    expose: false,
  }),
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;

export const faultOf = (name: FaultName): Fault => faults[name];
