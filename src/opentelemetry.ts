export {
  type OpenTelemetry,
  type OpenTelemetryOptions,
  openTelemetry,
} from './fronts/opentelemetry/opentelemetry.ts';
