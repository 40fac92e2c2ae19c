export type { Connectivity } from './core/contract.ts';
export {
  type ConnectivityOptions,
  connectivity,
  type ProbedConnectivity,
  type Reachability,
} from './observability/connectivity.ts';
export { type ClientHealth, type ClientParts, clientHealth } from './observability/health/client.ts';
export {
  type CheckOptions,
  type Health,
  type HealthCheck,
  type HealthOptions,
  health,
  type WaitOptions,
  waitUntilHealthy,
} from './observability/health/health.ts';
export { type Monitor, type MonitorOptions, monitor } from './observability/health/monitor.ts';
