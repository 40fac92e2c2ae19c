export { type Metrics, type MetricsSnapshot, metrics, type Rates } from './observability/metrics/metrics.ts';
export type { Alarm, MetricsOptions, Thresholds } from './observability/metrics/options.ts';
export type { SeriesSnapshot } from './observability/metrics/series.ts';
export type { TopError } from './observability/metrics/top-errors.ts';
