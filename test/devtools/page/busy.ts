import type { HoldfastEvent, OutboxEntry } from 'holdfast';
import { devtools } from 'holdfast/devtools';

/** So many events a second, of calls with two attempts each. */
const RATE = 1_000;
const ENTRIES = 10_000;

/** As many as come in 50 ms. A machine that is busy with something else lets the page catch up later, not in one frame. */
const AT_ONCE = 50;

/** A client that is as busy as can be, with an outbox that is as full as can be. */
export function busyClient() {
  const listeners = new Set<(event: HoldfastEvent) => void>();
  const tell = (event: object): void => {
    for (const listener of listeners) listener(event as HoldfastEvent);
  };
  const origin = 'https://api.example.com';
  let calls = 0;
  /** One call with all of its events. */
  const call = (): number => {
    const callId = `busy-${++calls}`;
    const of = { callId, origin };
    const at = Date.now();
    tell({
      type: 'call-started',
      ...of,
      method: 'GET',
      url: `${origin}/items/${calls}?page=${calls % 7}`,
      at,
    });
    for (const attempt of [1, 2]) {
      tell({ type: 'attempt-started', ...of, attempt, at });
      const status = attempt === 1 ? 503 : 200;
      tell({ type: 'attempt-ended', ...of, attempt, startedAt: at, duration: 20, status });
      if (attempt === 1) tell({ type: 'retry', ...of, attempt: 2, delay: 30, cause: 503 });
    }
    tell({ type: 'cache-stored', ...of, url: `${origin}/items/${calls}`, bytes: 100 });
    tell({ type: 'queued', ...of, id: `entry-${calls}`, lane: `lane ${calls % 30}` });
    tell({
      type: 'call-ended',
      ...of,
      method: 'GET',
      at,
      duration: 70,
      attempts: [],
      status: 200,
      source: 'network',
    });
    return 8;
  };
  const entries = Array.from({ length: ENTRIES }, (_, nth) => entryOf(nth, origin));
  const page = ({ state = 'waiting', after = '', limit = 50 }): OutboxEntry[] => {
    if (state !== 'waiting') return [];
    const from = after === '' ? 0 : Number(after) + 1;
    return entries.slice(from, from + limit).map((entry) => ({ ...entry }));
  };
  const lanes = Array.from({ length: 30 }, (_, nth) => ({
    lane: `lane ${nth}`,
    waiting: 333,
    paused: false,
  }));
  devtools(
    {
      subscribe(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    {
      name: 'busy',
      outbox: {
        entries: async (query = {}) =>
          page(query as { state?: string; after?: string; limit?: number }) as never,
        counts: async () => ({ waiting: ENTRIES, deadLetters: 0, count: ENTRIES, bytes: 1 }),
        lanes: async () => lanes,
        request: async () => undefined,
        edit: async () => false,
        replay: async () => false,
        remove: async () => false,
        flush: async () => ({ total: 0, delivered: 0, deadLetters: 0, left: 0 }),
        pause: async () => {},
        resume: async () => {},
        subscribe: () => () => {},
      },
    },
  );
  return {
    fill(): void {
      for (let nth = 0; nth < ENTRIES; nth++) call();
    },
    /** Emits so many events. Resolves with how long that took, and the longest time between two frames in ms. */
    async run(
      most: number,
    ): Promise<{ events: number; seconds: number; longestFrame: number; longTasks: number[] }> {
      const longTasks: number[] = [];
      if (PerformanceObserver.supportedEntryTypes.includes('longtask'))
        new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) longTasks.push(Math.round(duration));
        }).observe({ type: 'longtask' });
      const from = performance.now();
      let last = from;
      let longestFrame = 0;
      let events = 0;
      return new Promise((resolve) => {
        const frame = (now: number): unknown => {
          longestFrame = Math.max(longestFrame, now - last);
          last = now;
          const due = Math.min((RATE * (performance.now() - from)) / 1_000, events + AT_ONCE);
          while (events < due) events += call();
          if (events < most) return requestAnimationFrame(frame);
          const seconds = (performance.now() - from) / 1_000;
          resolve({ events, seconds, longestFrame: Math.round(longestFrame), longTasks });
        };
        requestAnimationFrame(frame);
      });
    },
  };
}

function entryOf(nth: number, origin: string): OutboxEntry {
  const now = Date.now();
  return {
    id: `entry-${nth}`,
    key: String(nth),
    idempotencyKey: `key-${nth}`,
    partition: 'public',
    lane: `lane ${nth % 30}`,
    origin,
    state: 'waiting',
    acceptedAt: now,
    expiresAt: now + 604_800_000,
    notBefore: now + 5_000,
    attempts: 1,
    request: {
      url: `${origin}/orders/${nth}`,
      method: 'POST',
      headers: [],
      credentials: 'same-origin',
      mode: 'cors',
      redirect: 'follow',
      referrerPolicy: '',
    },
    size: 20,
    options: {},
  };
}
