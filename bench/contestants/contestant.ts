/** What stands in for the network. Whoever was given a URL may hand it on as a `Request`. */
export type Transport = (input: Request | URL | string, init?: unknown) => Promise<Response>;

/** One use by an application, to the end of the body. */
export type Use = (url: string) => Promise<unknown>;

/** A library, or what one would write without, set up for each kind of work; what it cannot do it leaves out. */
export interface Contestant {
  readonly name: string;
  /** A call that succeeds. */
  call(transport: Transport): Use;
  /** A call that is repeated without delay when the answer is 503. */
  repeating?(transport: Transport): Use;
  /** A call that stops asking after five failures. */
  breaking?(transport: Transport): Use;
}

/** What an application does with an answer. */
export const reading =
  (fetch: (url: string) => Promise<Response>): Use =>
  async (url) =>
    (await fetch(url)).json();

export const HOUR = 3_600_000;
