/** What a page is told by its URL. */
export interface Settings {
  readonly seed: number;
  readonly origin: string;
  readonly life: number;
  /** Nothing is written any more: what waits is to be delivered. */
  readonly last: boolean;
  /** What is broken on purpose. */
  readonly broken?: Broken | undefined;
}

/**
 * - `deletes-first`: a write is deleted before it is sent.
 * - `no-key`: no `Idempotency-Key` goes with it.
 */
export type Broken = 'deletes-first' | 'no-key';

export const queryOf = (settings: Settings): string =>
  String(new URLSearchParams({ settings: JSON.stringify(settings) }));

export const settingsIn = (query: string): Settings =>
  JSON.parse(new URLSearchParams(query).get('settings') ?? '{}');
