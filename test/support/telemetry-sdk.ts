import { context, metrics, propagation, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

export interface TelemetrySdk {
  readonly spans: InMemorySpanExporter;
  readonly metrics: InMemoryMetricExporter;
  /** Metrics are exported only when asked for. */
  readonly reader: PeriodicExportingMetricReader;
  stop(): Promise<void>;
}

/** OpenTelemetry's own SDK, as an application registers it for all, with exporters in memory. */
export function telemetrySdk(): TelemetrySdk {
  const spans = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
  );
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  // As the SDK's, which its packages for one platform set up (https://www.w3.org/TR/trace-context/).
  propagation.setGlobalPropagator({
    inject(active, carrier, setter) {
      const span = trace.getSpanContext(active);
      if (span) setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-0${span.traceFlags}`);
    },
    extract: (active) => active,
    fields: () => ['traceparent'],
  });
  return {
    spans,
    metrics: exporter,
    reader,
    async stop() {
      await reader.shutdown();
      trace.disable();
      metrics.disable();
      context.disable();
      propagation.disable();
    },
  };
}
