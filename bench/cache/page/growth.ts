import type { Times } from '../../measure/race.ts';
import { FullStore } from './full-store.ts';
import { inRounds, type Rounds } from './rounds.ts';
import { countTraffic, type Traffic } from './traffic.ts';

const WORK = ['opening', 'lookup', 'storing'] as const;

export type Work = (typeof WORK)[number];

/** What each kind of work costs in a full store with few entries and in one with many. */
export interface Growth {
  /** How many entries. */
  readonly few: number;
  readonly many: number;
  readonly times: Record<Work, Times>;
  /** Of one turn each. */
  readonly traffic: Record<Work, Record<string, Traffic>>;
}

const FEW = 100;

export async function growth(many: number, rounds: Rounds): Promise<Growth> {
  const stores = Object.entries({ few: await FullStore.of(FEW), many: await FullStore.of(many) });
  const times = await inRounds(
    stores.map(([name, store]) => [name, () => turn(store)] as const),
    rounds,
  );
  const traffic: Growth['traffic'] = { opening: {}, lookup: {}, storing: {} };
  for (const [name, store] of stores) {
    for (const work of WORK) traffic[work][name] = await countTraffic(() => store[work]());
    await store.close();
  }
  return { few: FEW, many, times, traffic };
}

async function turn(store: FullStore): Promise<Record<Work, number>> {
  const times = {
    opening: await store.opening(),
    lookup: await store.lookup(),
    storing: await store.storing(),
  };
  await store.close();
  return times;
}
