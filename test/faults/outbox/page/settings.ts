/** The settings of a page, in its URL. */
export interface Settings {
  readonly seed: number;
  readonly origin: string;
  readonly life: number;
  /** No more writes: the waiting ones are to be delivered. */
  readonly last: boolean;
  /** The part that is broken on purpose. */
  readonly broken?: Broken | undefined;
}

/**
 * - `deletes-first`: a write is deleted before it is sent.
 * - `no-key`: it is sent without an `Idempotency-Key`.
 */
export type Broken = 'deletes-first' | 'no-key';

export const queryOf = (settings: Settings): string =>
  String(new URLSearchParams({ settings: JSON.stringify(settings) }));

export const settingsIn = (query: string): Settings =>
  JSON.parse(new URLSearchParams(query).get('settings') ?? '{}');
