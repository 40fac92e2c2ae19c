import { deleted, fill } from './filled.ts';
import { Holdfast } from './holdfast.ts';
import { RawQueue } from './raw.ts';
import { RawAnswers } from './raw-answers.ts';
import { Workbox } from './workbox.ts';

/** A queue in which something waits. */
export interface Filled {
  /** How many are to be sent. */
  readonly entries: number;
  /** Sends them to an origin that answers at once. @returns how many were sent. */
  drain(): Promise<number>;
  close(): Promise<void> | void;
}

export interface Drainer {
  readonly name: string;
  /** A queue of so many, or nothing where that is not to be measured. */
  filled(entries: number): Promise<Filled | undefined>;
}

/** Of the longest queue, which stays and is drained of its first entries only. */
const FIRST = 200;

const RAW = 'bench raw drain';
const ANSWERED = 'bench raw drain, keeping answers';

export const raw: Drainer = {
  name: 'raw IndexedDB',
  async filled(entries) {
    await deleted(RAW);
    const queue = await RawQueue.open(RAW);
    await queue.add(entries, 'relaxed');
    return { entries, drain: () => queue.drain(), close: () => queue.close() };
  },
};

/** What it costs that there are lanes, and that what became of a write can be asked for later. */
export const rawAnswered: Drainer = {
  name: 'raw, in a lane, keeping answers',
  async filled(entries) {
    await deleted(ANSWERED);
    const queue = await RawAnswers.open(ANSWERED);
    await queue.add(entries);
    return { entries, drain: () => queue.drain(), close: () => queue.close() };
  },
};

/** @param limit So many ms may it take. */
export const inHoldfast = (lanes: number, limit: number): Drainer => {
  const name = `drain ${lanes}`;
  return {
    name: lanes === 1 ? 'holdfast, one lane' : `holdfast, ${lanes} lanes`,
    async filled(entries) {
      await fill(name, entries, lanes);
      return opened(name, entries, limit);
    },
  };
};

/** @param name Of a queue that is there already. */
export const firstOf = (name: string): Promise<Filled> => opened(name, FIRST, Number.POSITIVE_INFINITY);

async function opened(name: string, entries: number, limit: number): Promise<Filled> {
  const queue = new Holdfast(name);
  // Opens it, too, which is not what is measured here.
  const before = await queue.box.counts();
  let deadline = 0;
  let sent = 0;
  return {
    entries,
    async drain() {
      deadline = performance.now() + limit;
      sent = await queue.drain((sent) => sent < entries && performance.now() < deadline);
      return sent;
    },
    async close() {
      const after = await queue.box.counts();
      await queue.close();
      if (sent < entries && performance.now() < deadline) throw new Error(`${sent} sent of ${entries}`);
      if (before.count - after.count !== sent) throw new Error(`${after.count} are left of ${before.count}`);
    },
  };
}

/** @param most It would take minutes for more. */
export const inWorkbox = (most: number): Drainer => {
  const queue = new Workbox('drain');
  return {
    name: 'workbox, relaxed',
    async filled(entries) {
      if (entries > most) return undefined;
      await Promise.all(Array.from({ length: entries }, (_, number) => queue.enqueue(number)));
      return { entries, drain: () => queue.drain(), close() {} };
    },
  };
};
