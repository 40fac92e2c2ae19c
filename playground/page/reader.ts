import { type Failure, type Source, sourceOf } from 'holdfast';
import { api } from './client.ts';
import { badge, type Tone, ticking, write } from './dom.ts';
import { failure, long } from './words.ts';

interface Reading<T> {
  readonly data: T;
  readonly source: Source;
  /** When the server sent it; wall time in ms. */
  readonly asOf: number;
}

export interface Reader {
  refresh(): Promise<void>;
  /** The source of the data that is shown. */
  source(): Source | undefined;
}

interface Views<T> {
  show(data: T): void;
  /** Where its freshness is shown. */
  readonly mark: HTMLElement;
  readonly says: HTMLElement;
}

/** Reads a path of the API, and says how old the data is. */
export function reader<T>(path: string, { show, mark, says }: Views<T>): Reader {
  let reading: Reading<T> | undefined;
  let problem = '';
  let asked = 0;
  let shown = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;

  async function refresh(): Promise<void> {
    const turn = ++asked;
    clearTimeout(retry);
    try {
      const response = await api.get(path);
      const data = await response.json<T>();
      // A later call may have ended first.
      if (turn < shown) return;
      const age = Number(response.headers.get('age') ?? 0);
      reading = { data, source: sourceOf(response), asOf: Date.now() - age * 1000 };
      problem = '';
      show(data);
    } catch (error) {
      if (turn < shown) return;
      problem = failure(error);
      const { retryAt } = Object(error) as Partial<Failure>;
      if (retryAt) retry = setTimeout(() => void refresh(), Math.max(500, retryAt - Date.now()));
    }
    shown = turn;
    showFreshness();
  }

  function showFreshness(): void {
    const [word, tone, text] = freshness(reading, problem);
    badge(mark, word, tone);
    write(says, text);
  }

  ticking(showFreshness);
  return { refresh, source: () => (problem ? undefined : reading?.source) };
}

function freshness(
  reading: Reading<unknown> | undefined,
  problem: string,
): [word: string, tone: Tone, says: string] {
  if (problem)
    return ['no response', 'bad', `The server does not respond (${problem}), and nothing is cached.`];
  if (!reading) return ['loading', 'plain', ''];
  const age = long((Date.now() - reading.asOf) / 1000);
  if (reading.source === 'network') return ['live', 'good', `From the server, ${age} ago.`];
  if (reading.source === 'cache') return ['cached', 'good', `A fresh copy, ${age} old.`];
  return [`saved ${age} ago`, 'stale', `The server did not respond: saved copy, ${age} old.`];
}
