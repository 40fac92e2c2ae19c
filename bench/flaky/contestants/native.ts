import { type Contestant, initOf, read } from './contestant.ts';

export const native: Contestant = {
  name: 'native',
  make:
    ({ fetch, limit }) =>
    async (call) => {
      const signal = limit === undefined ? {} : { signal: AbortSignal.timeout(limit) };
      return read(await fetch(call.url, { ...initOf(call), ...signal }), call.streamed);
    },
};
