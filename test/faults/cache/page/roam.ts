import { chance } from '../../../../tools/misbehaving-server/chance.ts';
import type { Reader, User } from './reader.ts';
import type { Reading } from './reading.ts';

export interface Roaming {
  readonly seed: number;
  readonly steps: number;
  readonly paths: readonly string[];
}

/** The result. */
export interface Roamed {
  reads: number;
  /** Reads with a cached response. */
  fromCache: number;
  cleared: number;
  /** Readings that were another user's, or torn, or failed otherwise than by the network. */
  readonly wrong: string[];
}

export const addUp = (tabs: readonly Roamed[]): Roamed =>
  tabs.reduce<Roamed>(
    (sum, tab) => ({
      reads: sum.reads + tab.reads,
      fromCache: sum.fromCache + tab.fromCache,
      cleared: sum.cleared + tab.cleared,
      wrong: [...sum.wrong, ...tab.wrong],
    }),
    { reads: 0, fromCache: 0, cleared: 0, wrong: [] },
  );

const USERS: readonly User[] = ['ann', 'bob'];
const AT_ONCE = 4;

/** Random actions of a user in a tab: read, write, sign out and in as another user, clear the cache. */
export async function roam(reader: Reader, { seed, steps, paths }: Roaming): Promise<Roamed> {
  const roamed: Roamed = { reads: 0, fromCache: 0, cleared: 0, wrong: [] };
  const running = new Set<Promise<void>>();
  const one = <T>(list: readonly T[], label: string, nth: number): T =>
    list[Math.floor(chance(seed, label, nth) * list.length)] as T;
  for (let step = 0; step < steps; step++) {
    const throw_ = chance(seed, 'what', step);
    const path = one(paths, 'path', step);
    if (throw_ < 0.2) reader.user = one(USERS, 'user', step);
    else if (throw_ < 0.23) roamed.cleared += await reader.clear(one(USERS, 'user', step));
    else if (throw_ < 0.28) await reader.write(path);
    else {
      const { user } = reader;
      const read = reader.read(path).then((reading) => {
        roamed.reads++;
        if ('source' in reading && reading.source !== 'network') roamed.fromCache++;
        const wrong = whatIsWrong(reading, user);
        if (wrong) roamed.wrong.push(`${user} ${path}: ${wrong}`);
        running.delete(read);
      });
      running.add(read);
      if (running.size >= AT_ONCE) await Promise.race(running);
    }
  }
  await Promise.all(running);
  return roamed;
}

function whatIsWrong(reading: Reading, user: User): string | undefined {
  if ('failed' in reading) return reading.failed === 'network' ? undefined : reading.failed;
  if (reading.user === user && reading.whole && reading.status === 200) return undefined;
  return JSON.stringify(reading);
}
