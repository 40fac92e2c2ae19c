export { type KillSwitch, killSwitch } from './adapters/service-worker/kill-switch.ts';
export {
  type ServiceWorkerOptions,
  serviceWorker,
  type WorkerRoute,
  type WorkerScope,
} from './adapters/service-worker/serve.ts';
export { type SharedSession, sharedSession } from './adapters/service-worker/session.ts';
