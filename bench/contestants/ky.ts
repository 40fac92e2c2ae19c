import ky from 'ky';
import { policiesOf } from './cockatiel.ts';
import type { Contestant, Transport } from './contestant.ts';

/** ky calls `fetch` with a `Request`. */
const asFetch = (transport: Transport): typeof fetch => transport as typeof fetch;

/** Its defaults: a time limit and two retries. */
export const kyAlone: Contestant = {
  name: 'ky',
  call: (transport) => {
    const client = ky.create({ fetch: asFetch(transport) });
    return (url) => client.get(url).json();
  },
  repeating: (transport) => {
    const client = ky.create({ fetch: asFetch(transport), retry: { limit: 2, delay: () => 0 } });
    return (url) => client.get(url).json();
  },
};

export const kyBare: Contestant = {
  name: 'ky, no timeout, no retry',
  call: (transport) => {
    const client = ky.create({ fetch: asFetch(transport), timeout: false, retry: 0 });
    return (url) => client.get(url).json();
  },
};

/** How ky is given a circuit today. */
export const kyWithCockatiel: Contestant = {
  name: 'ky + cockatiel',
  call: (transport) => {
    const policies = policiesOf(Infinity);
    const client = ky.create({
      fetch: (input, init) =>
        policies.execute(({ signal }) => asFetch(transport)(input, { ...init, signal })) as Promise<Response>,
    });
    return (url) => client.get(url).json();
  },
};
