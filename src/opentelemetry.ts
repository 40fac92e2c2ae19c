export {
  type OpenTelemetry,
  type OpenTelemetryOptions,
  openTelemetry,
} from './adapters/opentelemetry/opentelemetry.ts';
