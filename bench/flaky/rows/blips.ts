import type { Cut } from '../origin/weather.ts';
import type { CallOptions, Goal, Row } from './row.ts';
import { acrossCut, atOnce, callers, page } from './scripts.ts';

/** DESIGN: all calls succeed, with 1.5 requests each. */
const goal: Goal = { share: 1, requests: 1.5 };

const SECONDS = [0.3, 1, 3];

function blip(seconds: number, count: number, method = 'GET', options: CallOptions = {}): Row {
  return {
    group: 'blips: all connections refused',
    name: `${seconds} s, ${count} ${count === 1 ? 'call' : 'calls at once'}${method === 'GET' ? '' : `, ${method}`}`,
    weather: { down: { from: 0, to: seconds * 1000 } },
    script: atOnce(count, options),
    calls: count,
    worlds: count === 1 ? 60 : 30,
    goal,
  };
}

/** In the middle of five callers' work. */
const amid = (seconds: number): Row => ({
  group: 'blips: all connections refused',
  name: `${seconds} s, amid the calls of five`,
  weather: { down: { from: 1000, to: 1000 + seconds * 1000 } },
  script: callers(5, 15, { think: 200 }),
  calls: 75,
  worlds: 20,
  goal,
  lasts: 6000,
});

const ofPage = (seconds: number): Row => ({
  group: 'a page: 30 paths at once',
  name: `a blip of ${seconds} s`,
  weather: { down: { from: 0, to: seconds * 1000 } },
  script: page(30),
  calls: 30,
  worlds: 20,
  goal,
});

function cut(name: string, how: Cut['how']): Row {
  return {
    group: 'all connections die at once',
    name,
    weather: { cut: { at: 100, back: [500, 2000], how }, latency: [100, 150] },
    script: acrossCut,
    calls: 10,
    worlds: 60,
    warm: 5,
    goal: { share: 1 },
    ...(how === 'silent' && { limit: 1000 }),
  };
}

export const blips: readonly Row[] = [
  ...SECONDS.flatMap((seconds) => [blip(seconds, 1), blip(seconds, 10)]),
  blip(1, 10, 'POST with a key', { method: 'POST', key: true }),
  ...SECONDS.map(amid),
  ofPage(0.3),
  ofPage(1),
  {
    ...blip(3, 10),
    group: 'with a cached response',
    name: 'a blip of 3 s, 10 at once',
    cached: true,
    warm: 10,
  },
  cut('a laptop wakes up: resets, and refusals for 0.5 to 2 s', 'destroyed'),
  cut('a phone changes networks: silence for 0.5 to 2 s', 'silent'),
];
