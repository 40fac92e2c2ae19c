import { briefOrigin, lastingOriginUrl, otherOriginUrl } from '../../support/origin-url.ts';
import type { Behaviour } from './faults.ts';

/** A server, and the URL of its control. */
export interface Place {
  readonly url: string;
  readonly control: string;
}

export const places = {
  /** Closes each connection after one response, so that the count has only our requests. */
  fresh: (): Place => briefOrigin(),
  /** Keeps connections. The last control request leaves the connection that is used again. */
  reused: (): Place => ({ url: lastingOriginUrl(), control: lastingOriginUrl() }),
  /** Port 2 is closed, and no browser forbids it. */
  nobody: (): Place => ({ ...briefOrigin(), url: 'http://127.0.0.1:2' }),
  /** Always well. */
  other: (): Place => ({ url: otherOriginUrl(), control: otherOriginUrl() }),
};

async function controlRequest<T>({ control }: Place, command: string, init?: RequestInit): Promise<T> {
  const response = await fetch(`${control}/control/${command}`, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${command}: ${text}`);
  return JSON.parse(text);
}

/**
 * @param method Default: any.
 * @returns ends it.
 */
export async function misbehave(
  place: Place,
  path: string,
  behaviour: Behaviour,
  times?: number,
  method?: string,
): Promise<() => Promise<void>> {
  const rule = { match: { method, pathPrefix: path }, behaviour, times };
  const body = JSON.stringify(rule);
  const { id } = await controlRequest<{ id: number }>(place, 'behaviour', { method: 'POST', body });
  return async () => {
    await controlRequest(place, `behaviour?id=${id}`, { method: 'DELETE' });
  };
}

export interface Traffic {
  /** Received requests. */
  readonly count: number;
  /** Those that are open. */
  readonly open: number;
  /** Whether the first came on a connection that was used before. */
  readonly isReused: boolean;
}

export async function traffic(place: Place, path: string): Promise<Traffic> {
  const { requests, counts, inFlight } = await controlRequest<{
    requests: { reused: boolean }[];
    counts: Record<string, number>;
    inFlight: number;
  }>(place, `requests?path=${path}`);
  return { count: counts[path] ?? 0, open: inFlight, isReused: Boolean(requests[0]?.reused) };
}

/** The number of effects of writes. */
export async function effects(place: Place, path: string): Promise<number> {
  const entries = await controlRequest<{ applied: number }[]>(place, `ledger?path=${path}`);
  return entries.reduce((sum, { applied }) => sum + applied, 0);
}
