export { type KillSwitch, killSwitch } from './fronts/worker/kill-switch.ts';
export {
  type ServiceWorkerOptions,
  serviceWorker,
  type WorkerRoute,
  type WorkerScope,
} from './fronts/worker/serve.ts';
export { type SharedSession, sharedSession } from './fronts/worker/session.ts';
