import { viaClient, viaFetch } from '../contestants/holdfast.ts';
import { native } from '../contestants/native.ts';
import type { OpenWorld } from '../origin/origins.ts';
import { rows } from '../rows/all.ts';
import { titleOf } from '../rows/row.ts';
import { runWorld, type Tally } from '../run-world.ts';

/** One contestant in one world. Plain data. */
export interface One {
  readonly title: string;
  readonly contestant: string;
  readonly seed: number;
  /** Where the worlds are opened. */
  readonly control: string;
}

export const contestants = [native, viaFetch, viaClient];

/** Runs in a browser, in Deno or in a Worker; the origins stay in Node. */
export function runOne({ title, contestant, seed, control }: One): Promise<Tally> {
  const row = rows.find((row) => titleOf(row) === title);
  const own = contestants.find(({ name }) => name === contestant);
  if (!row || !own) throw new Error(`${title}, ${contestant}: unknown`);
  return runWorld(row, own, { open: opening(control), seed });
}

function opening(control: string): OpenWorld {
  const ask = async (path: string, body: unknown): Promise<{ url: string }> => {
    const response = await fetch(control + path, { method: 'POST', body: JSON.stringify(body) });
    return response.json();
  };
  return async (weather, seed) => {
    const { url } = await ask('/open', { weather, seed });
    return {
      url,
      start: async () => void (await ask('/start', { url })),
      close: async () => void (await ask('/close', { url })),
    };
  };
}
