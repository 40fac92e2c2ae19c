import type { CallOptions, Script } from './row.ts';

const times = (count: number, work: (index: number) => Promise<unknown>): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));

/** So many callers, each of which makes one call after the other. */
export const callers =
  (count: number, each: number, options: CallOptions & { readonly think?: number } = {}): Script =>
  ({ call, wait }) =>
    times(count, async (caller) => {
      for (let index = 0; index < each; index++) {
        await call(caller * each + index, options);
        if (options.think) await wait(options.think);
      }
    });

/** All of them at once. */
export const atOnce =
  (count: number, options: CallOptions = {}): Script =>
  ({ call }) =>
    times(count, (index) => call(index, options));

/** A page: so many paths at once. */
export const page =
  (count: number): Script =>
  ({ call }) =>
    times(count, (index) => call(index, { path: `/part/${index}` }));

/** Calls to a broken endpoint and to a healthy one in turn. */
export const inTurn =
  (each: number, broken: string): Script =>
  async ({ call }) => {
    for (let index = 0; index < each; index++) {
      await call(1000 + index, { path: broken, counts: false });
      await call(index);
    }
  };

/** One caller for each of two endpoints, one of them broken. */
export const besides =
  (each: number, broken: string): Script =>
  ({ call, wait }) =>
    Promise.all([
      (async () => {
        for (let index = 0; index < each; index++) await call(1000 + index, { path: broken, counts: false });
      })(),
      (async () => {
        for (let index = 0; index < each; index++) {
          await call(index);
          await wait(200);
        }
      })(),
    ]);

/** Twenty calls to a broken endpoint at once, and one to a healthy one when they have failed. */
export const burstThenOne: Script = async ({ call }) => {
  await times(20, (index) => call(1000 + index, { path: '/broken', counts: false }));
  await call(0);
};

/** Five calls are in flight when the connections die after 100 ms, and five more begin 200 ms later. */
export const acrossCut: Script = ({ call, wait }) =>
  times(10, async (index) => {
    await wait(index < 5 ? 50 : 300);
    await call(index);
  });
