import { context, metrics, propagation, trace } from '@opentelemetry/api';
import type { HoldfastEvent } from '../../core/events.ts';
import { systemHost } from '../../core/host.ts';
import { ofType, readSettings } from '../../primitives/validate.ts';
import { Meters } from './meters.ts';
import { Spans } from './spans.ts';

export interface OpenTelemetryOptions {
  /** Default true. */
  readonly spans?: boolean;
  /** Default true. */
  readonly metrics?: boolean;
}

export interface OpenTelemetry {
  /** For `onEvent`. */
  receive(event: HoldfastEvent): void;
  /** The `traceparent` of a call's span, or of the active one, for `telemetry({ origins, parent })`. */
  parent(callId?: string): string | undefined;
}

/** Of the instrumentation, as backends show it. */
const NAME = 'holdfast';

/**
 * Spans and metrics through `@opentelemetry/api`, by its HTTP semantic conventions. They go to the SDK that the application has
 * registered; without one it costs next to nothing.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/
 *
 * @example
 * const otel = openTelemetry();
 * const api = createClient({ onEvent: otel.receive, telemetry: telemetry({ origins, parent: otel.parent }) });
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): OpenTelemetry {
  const wanted = readSettings(
    'openTelemetry',
    { spans: [true, ofType<boolean>('boolean')], metrics: [true, ofType<boolean>('boolean')] },
    options,
  );
  const { clock } = systemHost;
  // Made with the first event: the application may register its SDK after this.
  let spans: Spans | undefined;
  let meters: Meters | undefined;
  return {
    receive(event) {
      if (wanted.spans) spans ??= new Spans(trace.getTracer(NAME));
      if (wanted.metrics) meters ??= new Meters(metrics.getMeter(NAME));
      spans?.receive(event, clock.now());
      meters?.receive(event);
    },
    parent(callId = '') {
      const carrier: { traceparent?: string } = {};
      const span = spans?.of(callId);
      propagation.inject(span ? trace.setSpan(context.active(), span) : context.active(), carrier);
      return carrier.traceparent;
    },
  };
}
