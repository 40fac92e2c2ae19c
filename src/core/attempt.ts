/** One request on the wire. */
export interface Attempt {
  readonly attempt: number;
  readonly origin: string;
  /** Wall time in ms. */
  readonly startedAt: number;
  /** Milliseconds to the headers or to the failure. */
  readonly duration: number;
  /** The status of the response; absent if there was none. */
  readonly status?: number;
  /** Why there was no response: the `code` of our errors, else the error's name. */
  readonly error?: string;
}
