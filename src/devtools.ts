export { devtools, type HoldfastDevtools } from './devtools/element.ts';
export {
  type Fault,
  type FaultRule,
  type Faults,
  faults,
  type WireListener,
} from './devtools/faults.ts';
export type { DevtoolsParts, Observed } from './devtools/source.ts';
