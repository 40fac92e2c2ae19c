import { describe, expect, test } from 'vitest';
import { named, type Policy } from '../../src/core/contract.ts';
import type { Leaving, Run, Stage } from '../../src/core/stage.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { hang, networkError, ok, slow, status } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** A stage as an application writes one. */
const staged = <Memory = unknown>(name: string, hooks: Omit<Stage<Memory>, 'name'>): Stage =>
  ({ name, ...hooks }) as Stage;

/** Writes down what becomes of each passage. */
const tracing = (name: string, trace: string[]): Stage =>
  staged(name, {
    enter: () => void trace.push(`>${name}`),
    leave: ({ response }) => void trace.push(`<${name} ${response?.status ?? 'failed'}`),
    settled: (_, __, how) => void trace.push(`${name} ${how}`),
  });

/** Repeats everything inside it so many times, after any outcome. */
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

const passing: Policy = named('passing', (next) => (request, call) => next(request, call));

describe('a policy of several stages', () => {
  const trace: string[] = [];
  const stages = ['first', 'second'].map((name) => named('several', tracing(name, trace)));
  const several = named('several', staged('several', {}), { stages });

  test('they stand where it stands, and run in their order', async () => {
    trace.length = 0;
    const { fetch, origin } = scenario([several]);
    origin.replies(ok('x'));
    await (await fetch(URL_)).text();
    expect(trace.slice(0, 4)).toEqual(['>first', '>second', '<second 200', '<first 200']);
  });

  test('an option of a call that switches it off switches off all of them', async () => {
    trace.length = 0;
    const { fetch, origin } = scenario([several]);
    origin.replies(ok('x'));
    await fetch(URL_, { holdfast: { several: false } });
    expect(trace).toEqual([]);
  });
});

describe('what a stage puts in place', () => {
  /** Sends each request elsewhere, with one more header. */
  const moving = (name: string): Stage =>
    staged(name, {
      enter(run) {
        const headers = new Headers(run.request.headers);
        headers.append('passed', name);
        run.request = new Request(run.request, { headers });
        run.origin = `https://${name}.example`;
        run.call = { ...run.call, hasGeneratedKey: true };
        run.deadline = 5;
      },
    });

  const looking = (seen: string[]): Stage => {
    const look = ({ request, origin, call, deadline }: Run) =>
      void seen.push(
        `${request.headers.get('passed')} ${origin} ${call.hasGeneratedKey === true} ${deadline}`,
      );
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

test('the number of an attempt that a stage writes holds for what is inside it alone', async () => {
  const seen: string[] = [];
  const look = ({ attempt, call: { attemptsLeft, hasResponse } }: Run) =>
    void seen.push(`${attempt} ${attemptsLeft} ${hasResponse}`);
  const numbering = staged('numbering', {
    enter(run) {
      run.call = { ...run.call, attempt: 2, attemptsLeft: 1, hasResponse: true };
    },
  });
  const looking = () => staged('looking', { enter: look, leave: look });
  await scenario([looking(), numbering, looking()]).fetch(URL_);
  const outside = '1 undefined undefined';
  expect(seen).toEqual([outside, '2 1 true', '2 1 true', outside]);
});

describe('a limit', () => {
  test('that is left sets off no alarm while the run waits', async () => {
    const policies = [
      totalTimeout({ total: 60_000 }),
      repeating('repeating', 1, 20_000),
      attemptTimeout(5000),
    ];
    const { fetch, clock } = scenario(policies);
    await fetch(URL_);
    expect(clock.slept).toEqual([20_000]);
  });

  test('a limit that passes leaves everything inside its stage without work or repetition', async () => {
    const { fetch, origin, clock } = scenario([totalTimeout({ total: 1000 }), repeating('inside', 3)]);
    origin.otherwise(hang());
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-total' });
    expect(origin.seen.length).toBe(1);
    expect(clock.ticks()).toBe(1000);
    expect(clock.pending).toBe(0);
  });

  test('a limit that passes is an ordinary failure for the stages outside it', async () => {
    const { fetch, origin } = scenario([repeating('outside', 1), attemptTimeout({ attempt: 1000 })]);
    origin.replies(hang());
    expect((await fetch(URL_)).status).toBe(200);
    expect(origin.seen.length).toBe(2);
  });

  test('a limit lets the run go on if it gives no error', async () => {
    const limits: number[] = [];
    const policy = staged('policy', {
      enter: (run) => run.limit(100, () => void limits.push(run.call.host.clock.ticks())),
    });
    const { fetch, origin, clock } = scenario([policy]);
    origin.replies(slow(clock, 500, () => ok('late')));
    expect(await (await fetch(URL_)).text()).toBe('late');
    expect(limits).toEqual([100]);
  });

  test('a limit whose function throws ends the run with what it threw', async () => {
    const policy = staged('policy', {
      enter: (run) =>
        run.limit(100, () => {
          throw new RangeError('a bug');
        }),
    });
    const { fetch, origin, clock } = scenario([policy]);
    origin.replies(hang());
    await expect(fetch(URL_)).rejects.toThrow('a bug');
    expect(clock.ticks()).toBe(100);
  });

  test('a limit that passes while a stage inside it responds by itself ends in its error', async () => {
    const policy = staged('policy', {
      async enter(run) {
        await run.wait(2000);
        run.response = ok('too late');
      },
    });
    const { fetch, origin, clock } = scenario([totalTimeout({ total: 1000 }), policy]);
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-total' });
    expect(origin.seen).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('enter', () => {
  test('enter that responds leaves out what is inside, and the stages outside see that response', async () => {
    const trace: string[] = [];
    const policy = staged('policy', {
      enter(run) {
        run.response = status(299);
      },
      leave: () => void trace.push('left'),
    });
    const { fetch, origin } = scenario([tracing('outside', trace), policy, tracing('inside', trace)]);
    await (await fetch(URL_)).text();
    expect(trace).toEqual(['>outside', '<outside 299', 'outside ended']);
    expect(origin.seen).toEqual([]);
  });

  test('enter that responds after a wait leaves out what is inside', async () => {
    const policy = staged('policy', {
      enter: (run) =>
        run.wait(10).then(() => {
          run.response = ok('instead');
        }),
    });
    const { fetch, origin } = scenario([passing, policy, passing]);
    expect(await (await fetch(URL_)).text()).toBe('instead');
    expect(origin.seen).toEqual([]);
  });

  test('enter that throws or rejects is a failure for the stages outside', async () => {
    for (const enter of [
      () => {
        throw new RangeError('a bug');
      },
      () => Promise.reject(new RangeError('a bug')),
    ]) {
      const trace: string[] = [];
      const { fetch } = scenario([tracing('outside', trace), staged('policy', { enter })]);
      await expect(fetch(URL_)).rejects.toThrow('a bug');
      expect(trace).toEqual(['>outside', '<outside failed', 'outside failed']);
    }
  });

  test('enter that never settles ends with the caller and with a limit further out', async () => {
    const policy = staged('policy', { enter: () => new Promise(() => {}) });
    const { fetch, clock } = scenario([totalTimeout({ total: 1000 }), policy]);
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-total' });
    const caller = new AbortController();
    const call = fetch(URL_, { signal: caller.signal });
    caller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect(clock.pending).toBe(0);
  });

  test('enter that aborts the caller is settled as failed, and nothing is sent', async () => {
    const trace: string[] = [];
    const caller = new AbortController();
    const policy = staged('policy', {
      enter() {
        caller.abort(new Error('gone'));
        return 'memory';
      },
      settled: (_, memory, how, error) => void trace.push(`${memory} ${how} ${(error as Error).message}`),
    });
    const { fetch, origin } = scenario([policy]);
    await expect(fetch(URL_, { signal: caller.signal })).rejects.toThrow('gone');
    expect(trace).toEqual(['memory failed gone']);
    expect(origin.seen).toEqual([]);
  });

  test('enter that aborts the caller and then waits is settled as failed, and nothing is sent', async () => {
    const trace: string[] = [];
    const caller = new AbortController();
    const policy = staged('policy', {
      async enter() {
        caller.abort(new Error('gone'));
        return 'slot';
      },
      settled: (_, memory, how) => void trace.push(`${memory} ${how}`),
    });
    const { fetch, origin } = scenario([policy]);
    await expect(fetch(URL_, { signal: caller.signal })).rejects.toThrow('gone');
    await quiet();
    expect(trace).toEqual(['slot failed']);
    expect(origin.seen).toEqual([]);
  });

  test('enter whose wait is over too late is settled as failed', async () => {
    const trace: string[] = [];
    const policy = staged('policy', {
      enter: () => quiet().then(() => 'slot'),
      settled: (_, memory, how) => void trace.push(`${memory} ${how}`),
    });
    const { fetch } = scenario([policy]);
    const caller = new AbortController();
    const call = fetch(URL_, { signal: caller.signal });
    caller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    await quiet();
    await quiet();
    expect(trace).toEqual(['slot failed']);
  });
});

describe('leave', () => {
  test('leave that throws in place of a response settles the stages inside it', async () => {
    const trace: string[] = [];
    const policy = staged('policy', {
      leave() {
        throw new RangeError('a bug');
      },
    });
    const { fetch } = scenario([tracing('outside', trace), policy, tracing('inside', trace)]);
    await expect(fetch(URL_)).rejects.toThrow('a bug');
    expect(trace).toEqual([
      '>outside',
      '>inside',
      '<inside 200',
      'inside cancelled',
      '<outside failed',
      'outside failed',
    ]);
  });

  test('leave that drops a response for another settles the stages inside it', async () => {
    const trace: string[] = [];
    const policy = staged('policy', {
      leave(run) {
        run.response?.body?.cancel();
        run.response = status(299);
      },
    });
    const { fetch } = scenario([tracing('outside', trace), policy, tracing('inside', trace)]);
    const response = await fetch(URL_);
    expect(trace).toEqual(['>outside', '>inside', '<inside 200', 'inside cancelled', '<outside 299']);
    await response.text();
    expect(trace.at(-1)).toBe('outside ended');
  });

  test('leave that responds in place of an error leaves the stages outside without one', async () => {
    const errors: unknown[] = [];
    const look = staged('look', { leave: (run) => void errors.push(run.error) });
    const policy = staged('policy', {
      leave(run) {
        run.response = ok('instead');
        run.response = ok('another');
      },
    });
    const { fetch, origin } = scenario([look, policy]);
    origin.replies(networkError());
    expect(await (await fetch(URL_)).text()).toBe('another');
    expect(errors).toEqual([undefined]);
  });

  test('leave whose work throws is a failure for the stages outside', async () => {
    const trace: string[] = [];
    const policy = staged('policy', {
      leave: () => async () => {
        throw new RangeError('a bug');
      },
    });
    const { fetch } = scenario([tracing('outside', trace), policy]);
    await expect(fetch(URL_)).rejects.toThrow('a bug');
    expect(trace).toEqual(['>outside', '<outside failed', 'outside failed']);
  });

  test('leave whose work never settles ends with the caller, and its response is dropped', async () => {
    const trace: string[] = [];
    const policy = staged('policy', { leave: () => () => new Promise(() => {}) });
    const { fetch, clock } = scenario([tracing('outside', trace), policy, tracing('inside', trace)]);
    const caller = new AbortController();
    const call = fetch(URL_, { signal: caller.signal });
    await quiet();
    expect(trace).toEqual(['>outside', '>inside', '<inside 200']);
    caller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect(trace.slice(3)).toEqual(['inside cancelled', '<outside failed', 'outside failed']);
    expect(clock.pending).toBe(0);
  });

  test('leave whose work gives nothing leaves the response as it is', async () => {
    const policy = staged('policy', { leave: () => (() => undefined) as unknown as Leaving });
    const { fetch } = scenario([policy]);
    expect(await (await fetch(URL_)).text()).toBe('ok');
  });

  test('leave that is async, against its type, changes nothing', async () => {
    const policy = staged('policy', { leave: (async () => {}) as never });
    const { fetch } = scenario([policy]);
    expect(await (await fetch(URL_)).text()).toBe('ok');
  });

  test('leave that aborts the caller settles every stage as over', async () => {
    const trace: string[] = [];
    const caller = new AbortController();
    const policy = staged('policy', {
      leave: () => caller.abort(new Error('gone')),
      settled: (_, __, how) => void trace.push(`policy ${how}`),
    });
    const { fetch } = scenario([tracing('outside', trace), policy, tracing('inside', trace)]);
    await expect(fetch(URL_, { signal: caller.signal })).rejects.toThrow('gone');
    expect(trace.slice(3).sort()).toEqual([
      '<outside failed',
      'inside cancelled',
      'outside failed',
      'policy failed',
    ]);
  });
});

describe('the attempt on the wire', () => {
  /** Whether it has been aborted when a response in its place was cancelled. */
  const isAborted = async (others: boolean): Promise<boolean | undefined> => {
    const sharing = staged('sharing', {
      leave: (run) => async () => {
        run.response = ok('a part');
        return undefined;
      },
      outlivesCaller: () => others,
    });
    const { fetch, origin } = scenario([sharing]);
    let wire: AbortSignal | undefined;
    origin.replies((_, signal) => {
      wire = signal;
      return ok();
    });
    await (await fetch(URL_)).body?.cancel();
    return wire?.aborted;
  };

  test('the attempt on the wire ends with the body of the response', async () => {
    expect(await isAborted(false)).toBe(true);
  });

  test('the attempt on the wire goes on after the body if others have a part of it', async () => {
    expect(await isAborted(true)).toBe(false);
  });
});

describe('settled', () => {
  test('settled that throws keeps no other stage from hearing of the end', async () => {
    const trace: string[] = [];
    const policy = staged('policy', {
      settled() {
        throw new RangeError('a bug');
      },
    });
    const { fetch, origin } = scenario([tracing('outside', trace), policy, tracing('inside', trace)]);
    expect(await (await fetch(URL_)).text()).toBe('ok');
    expect(trace.slice(4).sort()).toEqual(['inside ended', 'outside ended']);
    trace.length = 0;
    origin.replies(networkError());
    await expect(fetch(URL_)).rejects.toMatchObject({ category: 'network' });
    expect(trace.slice(2)).toEqual(['<inside failed', 'inside failed', '<outside failed', 'outside failed']);
  });
});

describe('a repetition', () => {
  test('a repetition enters what is inside once more, and the stage itself only once', async () => {
    const trace: string[] = [];
    const { fetch } = scenario([tracing('outside', trace), repeating('policy', 1), tracing('inside', trace)]);
    await (await fetch(URL_)).text();
    expect(trace).toEqual([
      '>outside',
      '>inside',
      '<inside 200',
      'inside cancelled',
      '>inside',
      '<inside 200',
      '<outside 200',
      'inside ended',
      'outside ended',
    ]);
  });

  test('a repetition of two stages in one segment multiplies', async () => {
    for (const between of [[], [passing]]) {
      const { fetch, origin, clock } = scenario([
        repeating('outer', 2, 10),
        ...between,
        repeating('inner', 3, 1),
      ]);
      await fetch(URL_);
      expect(origin.seen.length).toBe(12);
      expect(clock.slept).toEqual([1, 1, 1, 10, 1, 1, 1, 10, 1, 1, 1]);
    }
  });

  test('a repetition inside a limit that is set anew for each attempt may take as long as all of them', async () => {
    const { fetch, origin, clock } = scenario([repeating('policy', 2), attemptTimeout({ attempt: 1000 })]);
    origin.otherwise(slow(clock, 900, () => ok()));
    await fetch(URL_);
    expect(clock.ticks()).toBe(2700);
    expect(clock.pending).toBe(0);
  });
});

describe('respondEarly', () => {
  /** Responds after `ms`, and goes on. */
  const impatient = (ms: number, came: unknown[]): Stage =>
    staged('impatient', {
      enter(run) {
        const { level } = run;
        run.limit(ms, () => run.respondEarly(ok('early'), level));
      },
      leave(run) {
        came.push(run.response?.status ?? run.error);
      },
    });

  test('respondEarly gives the caller a response while the run goes on', async () => {
    const came: unknown[] = [];
    const trace: string[] = [];
    const { fetch, origin, clock } = scenario([tracing('outside', trace), impatient(100, came)]);
    origin.replies(slow(clock, 500, () => status(299)));
    expect(await (await fetch(URL_)).text()).toBe('early');
    expect(clock.ticks()).toBe(100);
    expect(trace).toEqual(['>outside', '<outside 200', 'outside ended']);
    expect(came).toEqual([]);
    await clock.advance(400);
    expect(came).toEqual([299]);
    expect(trace.length).toBe(3);
    expect(clock.pending).toBe(0);
  });

  test('respondEarly lets the run outlive its caller, and limits further out, but not the pipeline', async () => {
    const came: unknown[] = [];
    const { fetch, origin, clock } = scenario([totalTimeout({ total: 200 }), impatient(100, came)]);
    origin.otherwise(slow(clock, 500, () => status(299)));
    const caller = new AbortController();
    await (await fetch(URL_, { signal: caller.signal })).text();
    caller.abort();
    await clock.advance(400);
    expect(came).toEqual([299]);
    await (await fetch(URL_)).text();
    await fetch.close();
    expect(came[1]).toMatchObject({ code: 'closed' });
    expect(clock.pending).toBe(0);
  });

  test('respondEarly lets the stages outside it replace the response or repeat', async () => {
    const came: unknown[] = [];
    const { fetch, origin, clock } = scenario([repeating('outside', 1), impatient(100, came)]);
    origin.replies(slow(clock, 500, () => status(299)));
    expect(await (await fetch(URL_)).text()).toBe('ok');
    expect(origin.seen.length).toBe(2);
  });

  test('respondEarly a second time changes nothing', async () => {
    const policy = staged('policy', {
      enter(run) {
        const { level } = run;
        run.limit(100, () => {
          run.respondEarly(ok('first'), level);
          run.respondEarly(ok('second'), level);
        });
      },
    });
    const { fetch, origin, clock } = scenario([policy]);
    origin.replies(slow(clock, 500, () => ok()));
    expect(await (await fetch(URL_)).text()).toBe('first');
  });
});

describe('outlivesCaller', () => {
  /** Goes on without its caller if the test says so. */
  const needed = (came: unknown[], outlivesCaller: () => boolean, runs: [Run, number][] = []): Stage =>
    staged('needed', {
      enter(run) {
        runs.push([run, run.level]);
      },
      leave: ({ response, error }) => void came.push(response?.status ?? error),
      outlivesCaller,
    });

  test('outlivesCaller lets what is inside a stage go on when the caller leaves', async () => {
    const came: unknown[] = [];
    const trace: string[] = [];
    const { fetch, origin, clock } = scenario([tracing('outside', trace), needed(came, () => true)]);
    origin.replies(slow(clock, 500, () => status(299)));
    const caller = new AbortController();
    const call = fetch(URL_, { signal: caller.signal });
    await quiet();
    caller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect(trace).toEqual(['>outside', '<outside failed', 'outside failed']);
    await clock.advance(500);
    expect(came).toEqual([299]);
    expect(trace.length).toBe(3);
  });

  test('outlivesCaller lets what is inside a stage go on when a limit further out passes', async () => {
    const came: unknown[] = [];
    const { fetch, origin, clock } = scenario([totalTimeout({ total: 100 }), needed(came, () => true)]);
    origin.replies(slow(clock, 500, () => status(299)));
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-total' });
    expect(clock.ticks()).toBe(100);
    await clock.advance(400);
    expect(came).toEqual([299]);
    expect(clock.pending).toBe(0);
  });

  test('outlivesCaller does not outlive the pipeline', async () => {
    const came: unknown[] = [];
    const { fetch, origin, clock } = scenario([needed(came, () => true)]);
    origin.replies(hang());
    const call = fetch(URL_);
    await quiet();
    const closing = fetch.close();
    await expect(call).rejects.toMatchObject({ code: 'closed' });
    await closing;
    expect(came).toMatchObject([{ code: 'closed' }]);
    expect(clock.pending).toBe(0);
  });

  test('outlivesCaller that is false, or throws, ends the run with its caller', async () => {
    const bug = (): boolean => {
      throw new RangeError('a bug');
    };
    for (const outlivesCaller of [() => false, bug]) {
      const came: unknown[] = [];
      const { fetch, origin } = scenario([needed(came, outlivesCaller)]);
      origin.replies(hang());
      const caller = new AbortController();
      const call = fetch(URL_, { signal: caller.signal });
      await quiet();
      caller.abort(new Error('gone'));
      await expect(call).rejects.toThrow('gone');
      expect(came).toMatchObject([{ message: 'gone' }]);
    }
  });

  test('what is inside ends by abandon, which the attempt on the wire hears', async () => {
    const came: unknown[] = [];
    const runs: [Run, number][] = [];
    const signals: AbortSignal[] = [];
    const { fetch, origin, clock } = scenario([passing, needed(came, () => true, runs)]);
    origin.replies((_, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    const caller = new AbortController();
    const call = fetch(URL_, { signal: caller.signal });
    await quiet();
    caller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    expect(signals[0]?.aborted).toBe(false);
    const [run, level] = runs[0] as [Run, number];
    run.abandon(new Error('not needed'), level);
    run.abandon(new Error('again'), level);
    expect(signals[0]?.reason).toMatchObject({ message: 'not needed' });
    expect(came).toMatchObject([{ message: 'not needed' }]);
    expect(clock.pending).toBe(0);
  });
});

describe('runs', () => {
  // The virtual clock gives each timer a macrotask, which elsewhere is a timer of the platform.
  const many = /^Node/.test(globalThis.navigator?.userAgent) ? 10_000 : 500;

  test(`${many} that wait at once each end in time`, async () => {
    const policy = staged('policy', { enter: (run) => run.wait(1000) });
    const { fetch, clock } = scenario([totalTimeout({ total: 5000 }), policy, repeating('inside', 1, 10)]);
    const calls = Array.from({ length: many }, () => fetch(URL_));
    const responses = await Promise.all(calls);
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    expect(clock.ticks()).toBe(1010);
    expect(clock.pending).toBe(0);
  });

  test('stages and wrappers in any order mean what the array says', async () => {
    const trace: string[] = [];
    const wrapper: Policy = named('wrapper', (next) => async (request, call) => {
      trace.push('>wrapper');
      const response = await next(request, call);
      trace.push(`<wrapper ${response.status}`);
      return response;
    });
    const policies: Record<string, Policy> = {
      wrapper,
      stage: tracing('stage', trace),
      other: tracing('other', trace),
      passing,
    };
    const names = Object.keys(policies);
    for (let order = 0; order < 24; order++) {
      const rest = [...names];
      let left = order;
      const chosen: string[] = [];
      for (let size = 4; size > 0; size--) {
        chosen.push(...rest.splice(left % size, 1));
        left = Math.floor(left / size);
      }
      trace.length = 0;
      const { fetch } = scenario(chosen.map((name) => policies[name] as Policy));
      const response = await fetch(URL_);
      const loud = chosen.filter((name) => name !== 'passing');
      const passed = [...loud.map((name) => `>${name}`), ...loud.reverse().map((name) => `<${name} 200`)];
      expect(trace).toEqual(passed);
      await response.text();
      expect(trace.slice(6).sort()).toEqual(['other ended', 'stage ended']);
    }
  });

  test('a wrapper that gives no promise is a failure of the call, and nothing is left', async () => {
    const broken = named('broken', (() => () => undefined) as never);
    const { fetch, clock } = scenario([totalTimeout(), broken]);
    await expect(fetch(URL_)).rejects.toThrow(TypeError);
    expect(clock.pending).toBe(0);
  });
});
