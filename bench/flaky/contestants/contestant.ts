export type Fetch = typeof globalThis.fetch;

/** What a contestant is made for: one client of one world. */
export interface Setting {
  /** The platform's fetch, which counts requests. */
  readonly fetch: Fetch;
  /** The time limit of one attempt in ms. Default: the contestant's own. */
  readonly limit?: number | undefined;
  /** holdfast keeps a cached response of each call. */
  readonly cached?: boolean | undefined;
}

export interface Sent {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The body is read chunk by chunk. */
  readonly streamed: boolean;
}

/** Sends one call and reads its whole body; rejects if the call fails or its status is an error. */
export type Caller = (call: Sent) => Promise<string>;

export interface Contestant {
  readonly name: string;
  make(setting: Setting): Caller;
}

export const initOf = ({ method, headers, body }: Sent) => ({
  method,
  headers,
  ...(body !== undefined && { body }),
});

/** What an application does with a response. */
export async function read(response: Response, streamed: boolean): Promise<string> {
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  if (!streamed) return JSON.stringify(await response.json());
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  return text;
}
