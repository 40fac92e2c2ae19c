export { macrotask, type VirtualClock, virtualClock } from './testing/clock.ts';
export {
  type SwitchedConnectivity,
  seeded,
  switchedConnectivity,
  type TestHost,
  testHost,
} from './testing/host.ts';
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
} from './testing/origin.ts';
