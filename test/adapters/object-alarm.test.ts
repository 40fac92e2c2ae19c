import { expect, test } from 'vitest';
import { ObjectAlarm } from '../../src/adapters/cloudflare/durable-object.ts';

/** The alarm of a storage with slow operations. */
function storage(at: number | null = null) {
  const state = { at, writes: 0 };
  const later = async (): Promise<void> => {
    await null;
    await null;
  };
  return {
    state,
    async getAlarm() {
      const { at } = state;
      await later();
      return at;
    },
    async setAlarm(at: number) {
      await later();
      state.writes++;
      state.at = at;
    },
    async deleteAlarm() {
      await later();
      state.writes++;
      state.at = null;
    },
  };
}

test('ObjectAlarm sets the soonest of concurrent alarms, in any order', async () => {
  for (const times of [
    [1, 2, 3],
    [3, 2, 1],
    [2, 3, 1],
  ]) {
    const here = storage();
    const alarm = new ObjectAlarm(here);
    await Promise.all(times.map((at) => alarm.ensureBefore(at)));
    expect(here.state.at).toBe(1);
  }
});

test('ObjectAlarm does not write an alarm again that is soon enough', async () => {
  const here = storage(5);
  await new ObjectAlarm(here).ensureBefore(9);
  expect(here.state).toEqual({ at: 5, writes: 0 });
});

test('reschedule replaces the alarm that it stands for, a later one or none, and no sooner one', async () => {
  const mine = storage(10);
  await new ObjectAlarm(mine).reschedule(10, 50);
  expect(mine.state.at).toBe(50);
  const others = storage(7);
  await new ObjectAlarm(others).reschedule(10, 50);
  expect(others.state.at).toBe(7);
  const late = storage(90);
  await new ObjectAlarm(late).reschedule(10, 50);
  expect(late.state.at).toBe(50);
  const none = storage();
  await new ObjectAlarm(none).reschedule(10, 50);
  expect(none.state.at).toBe(50);
});

test('reschedule deletes the alarm if no work is left, but keeps one that was set in between', async () => {
  const idle = storage(10);
  await new ObjectAlarm(idle).reschedule(10, undefined);
  expect(idle.state.at).toBeNull();
  for (const order of [0, 1]) {
    const here = storage(10);
    const alarm = new ObjectAlarm(here);
    const work = [() => alarm.ensureBefore(3), () => alarm.reschedule(10, undefined)];
    if (order) work.reverse();
    await Promise.all(work.map((each) => each()));
    expect(here.state.at).toBe(3);
  }
});

test('an alarm that could not be set rejects, and the next is set', async () => {
  const here = storage();
  const { setAlarm } = here;
  here.setAlarm = () => Promise.reject(new Error('overloaded'));
  const alarm = new ObjectAlarm(here);
  await expect(alarm.ensureBefore(1)).rejects.toThrow('overloaded');
  here.setAlarm = setAlarm;
  await alarm.ensureBefore(2);
  expect(here.state.at).toBe(2);
});
