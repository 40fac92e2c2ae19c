import { withHeader } from '../core/body/request-body.ts';
import { type Call, named, type Policy } from '../core/contract.ts';
import { stage } from '../core/stage.ts';
import { formatTraceparent, parseTraceparent, randomHex, type TraceContext } from '../http/traceparent.ts';
import { originOf } from '../primitives/request.ts';
import { headerName, list, ofType, type Rule, readSettings } from '../primitives/validate.ts';
import { origin } from './retarget.ts';

export interface TelemetryOptions {
  /**
   * The origins that get the headers. A redirect of theirs carries the headers along (Fetch, "HTTP-redirect
   * fetch"). With them, a cross-origin request of a page has a preflight (CORS), and the origin has to allow them.
   */
  readonly origins: readonly string[];
  /** Whether `traceparent` (W3C Trace Context) goes with each request. Default true. */
  readonly traceparent?: boolean;
  /** The header that the call's id goes in, by which both sides find it in their logs; `true`: `X-Request-Id`. Default false. */
  readonly requestId?: boolean | string;
  /**
   * The `traceparent` to send with a call: of the request that is being served, of the page, or of the call's own span. A malformed
   * one, or an error, begins a new trace.
   */
  readonly parent?: (callId: string) => string | null | undefined;
  /** Whether a trace that begins here is recorded. Default true. */
  readonly sampled?: boolean;
}

const requestId: Rule<string | undefined> = (value, option) => {
  if (typeof value !== 'boolean') return headerName(value, option);
  return value ? 'X-Request-Id' : undefined;
};

/**
 * Sends the call's id and its trace to named origins. One trace for all attempts of a call. Without a `parent` each is a span
 * of its own, which nothing records; a header that the application has set stays.
 *
 * @see https://www.w3.org/TR/trace-context/
 *
 * @example
 * const fetch = createFetch({ telemetry: telemetry({ origins: ['https://api.example.com'] }) });
 */
export function telemetry(options: TelemetryOptions): Policy {
  const settings = readSettings(
    'telemetry',
    {
      origins: [[], list(origin)],
      traceparent: [true, ofType<boolean>('boolean')],
      requestId: [undefined, requestId],
      parent: [undefined, ofType<TelemetryOptions['parent']>('function')],
      sampled: [true, ofType<boolean>('boolean')],
    },
    options,
  );
  // All calls that are derived from a call share its log of attempts.
  const traces = new WeakMap<Call['attempts'], TraceContext>();

  const traceOf = ({ id, attempts, host }: Call): TraceContext => {
    let trace = traces.get(attempts);
    if (!trace) {
      trace = parentOf(settings.parent, id) ?? {
        traceId: randomHex(32, host.random),
        parentId: '',
        sampled: settings.sampled,
      };
      traces.set(attempts, trace);
    }
    return trace;
  };

  const policy = stage({
    enter(run) {
      if (!settings.origins.includes(originOf(run.url))) return;
      const { request, call } = run;
      if (settings.requestId && !request.headers.has(settings.requestId))
        run.request = withHeader(request, settings.requestId, call.id);
      if (settings.traceparent && !request.headers.has('traceparent')) {
        const trace = traceOf(call);
        const parentId = trace.parentId || randomHex(16, call.host.random);
        run.request = withHeader(run.request, 'traceparent', formatTraceparent({ ...trace, parentId }));
      }
    },
  });
  return named('telemetry', policy, { switchOnly: true });
}

function parentOf(parent: TelemetryOptions['parent'], callId: string): TraceContext | undefined {
  try {
    return parent && parseTraceparent(parent(callId));
  } catch {
    return undefined;
  }
}
