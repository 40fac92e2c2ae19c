export { macrotask, type VirtualClock, virtualClock } from './clock.ts';
export { type SwitchedConnectivity, seeded, switchedConnectivity, type TestHost, testHost } from './host.ts';
export {
  brokenBody,
  hang,
  networkError,
  ok,
  type ScriptedOrigin,
  type Seen,
  type Step,
  scriptedOrigin,
  slow,
  stalledBody,
  status,
} from './origin.ts';
