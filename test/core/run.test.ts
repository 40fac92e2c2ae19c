import { describe, expect, test } from 'vitest';
import type { Run, Stage } from '../../src/core/stage.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** A stage as an application writes one. */
const staged = <Memory = unknown>(name: string, hooks: Omit<Stage<Memory>, 'name'>): Stage =>
  ({ name, ...hooks }) as Stage;

/** Runs everything inside it so many times more, whatever comes. */
const repeating = (name: string, times: number, wait = 0): Stage => {
  return staged<{ left: number }>(name, {
    enter: () => ({ left: times }),
    leave(run, memory) {
      if (memory.left === 0) return;
      memory.left--;
      return async () => {
        await run.response?.body?.cancel();
        if (wait > 0) await run.wait(wait);
        return 'repeat';
      };
    },
  });
};

describe('what a stage puts in place', () => {
  /** Sends each request elsewhere, with one more header. */
  const moving = (name: string): Stage =>
    staged(name, {
      enter(run) {
        const headers = new Headers(run.request.headers);
        headers.append('passed', name);
        run.request = new Request(run.request, { headers });
        run.origin = `https://${name}.example`;
        run.call = { ...run.call, wantsBody: true };
        run.deadline = 5;
      },
    });

  const looking = (seen: string[]): Stage => {
    const look = ({ request, origin, call, deadline }: Run) =>
      void seen.push(`${request.headers.get('passed')} ${origin} ${call.wantsBody === true} ${deadline}`);
    return staged('looking', { enter: look, leave: look });
  };

  test('a request, origin, call or deadline that a stage replaces holds for what is inside it alone', async () => {
    const seen: string[] = [];
    const { fetch, origin } = scenario([
      looking(seen),
      moving('a'),
      looking(seen),
      moving('b'),
      looking(seen),
    ]);
    await fetch(URL_);
    const outside = `null ${ORIGIN} false Infinity`;
    const between = 'a https://a.example true 5';
    const inside = 'a, b https://b.example true 5';
    expect(seen).toEqual([outside, between, inside, inside, between, outside]);
    expect(origin.seen[0]?.headers.get('passed')).toBe('a, b');
  });

  test('a stage that is entered once more begins with the request that the stages outside it gave', async () => {
    const { fetch, origin } = scenario([repeating('repeating', 2), moving('a')]);
    await fetch(URL_);
    expect(origin.seen.map(({ headers }) => headers.get('passed'))).toEqual(['a', 'a', 'a']);
  });

  test('a stage finds what it has put in place itself when it is left, and for its repetition', async () => {
    const seen: string[] = [];
    let left = 1;
    const policy = staged('policy', {
      enter(run) {
        run.origin = 'https://first.example';
      },
      leave(run) {
        seen.push(run.origin);
        if (left-- === 0) return;
        return async () => {
          run.origin = 'https://second.example';
          return 'repeat';
        };
      },
    });
    const { fetch } = scenario([looking(seen), policy, moving('b')]);
    await fetch(URL_);
    expect(seen.slice(1, -1)).toEqual(['https://first.example', 'https://second.example']);
    expect(seen.at(-1)).toBe(`null ${ORIGIN} false Infinity`);
  });
});
