import type { Fault } from '../origin/weather.ts';
import type { Row } from './row.ts';
import { atOnce, besides, burstThenOne, callers, inTurn } from './scripts.ts';

const group = 'everyday: calls to the healthy endpoint';
const goal = { share: 'native' } as const;

const broken = (fault: Fault) => ({ shares: [{ path: '/broken', faults: [fault], rate: 1 }] });

const beside = (fault: Fault): Row[] => [
  {
    group,
    name: `another always responds ${fault}, in turn`,
    weather: broken(fault),
    script: inTurn(15, '/broken'),
    calls: 15,
    worlds: 30,
    goal,
    lasts: 15_000,
  },
  {
    group,
    name: `another always responds ${fault}, two callers`,
    weather: broken(fault),
    script: besides(15, '/broken'),
    calls: 15,
    worlds: 30,
    goal,
    lasts: 15_000,
  },
];

export const everyday: readonly Row[] = [
  ...beside('500'),
  ...beside('503'),
  {
    group,
    name: '20 calls to a broken one at once (500), then one',
    weather: broken('500'),
    script: burstThenOne,
    calls: 1,
    worlds: 50,
    goal,
  },
  {
    group,
    name: 'half of the calls get 404',
    weather: { shares: [{ faults: ['404'], rate: 0.5 }] },
    script: callers(5, 10),
    calls: 50,
    worlds: 10,
    goal,
  },
  {
    group,
    name: 'NDJSON with a pause of 12 s',
    weather: { pause: 12_000 },
    script: atOnce(3, { path: '/stream', streamed: true }),
    calls: 3,
    worlds: 5,
    goal,
    lasts: 30_000,
  },
];
