import { createFetch, type FetchOptions } from 'holdfast';

/** What is switched: a client, or a fetch. */
interface Switched {
  configure(options: FetchOptions): void;
}

export interface RemoteSwitches {
  /** A file such as `{"retry": false}`, at an origin that works while the called one fails. */
  readonly url: string;
  /** Policies that it may switch off; other entries of the file are ignored. */
  readonly policies: readonly (keyof FetchOptions)[];
  /** In ms, ± 20 %, so that not all clients ask at once. Default a minute. */
  readonly every?: number;
}

/** Reads the switches now and again. @returns ends it. */
export function obey(api: Switched, { url, policies, every = 60_000 }: RemoteSwitches): () => void {
  // Apart from what it switches, and without repetition: it comes again by itself.
  const fetch = createFetch({ timeout: '5s', retry: false, breaker: false });
  let timer: ReturnType<typeof setTimeout> | undefined;

  const look = async (): Promise<void> => {
    const answer = await fetch(url, { cache: 'no-store', headers: { accept: 'application/json' } });
    const file = answer.ok ? await answer.json() : await answer.body?.cancel();
    // No file, or one that cannot be read, changes nothing.
    if (typeof file !== 'object' || file === null || Array.isArray(file)) return;
    api.configure(
      Object.fromEntries(policies.map((name) => [name, file[name] === false ? false : undefined])),
    );
  };
  const turn = async (): Promise<void> => {
    await look().catch(() => {});
    if (timer !== undefined) timer = setTimeout(turn, every * (0.8 + 0.4 * Math.random()));
  };
  timer = setTimeout(turn, 0);

  return () => {
    clearTimeout(timer);
    timer = undefined;
    void fetch.close();
  };
}
