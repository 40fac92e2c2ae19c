import { isFailure, type Source, sourceOf } from '../../../../src/index.ts';

/** The result of a read, evaluated by the response itself. */
export interface Answer {
  readonly status: number;
  readonly url: string;
  readonly source: Source;
  readonly user: string | null;
  readonly version: number;
  /** Of the body, in bytes. */
  readonly size: number;
  /** Whether the body is the one that the origin gave these headers to. */
  readonly whole: boolean;
}

/** The category of a failure; `hung` when there was none; else an error that is not the library's. */
export interface Failed {
  readonly failed: string;
}

export type Reading = Answer | Failed;

type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** Longer than any limit of the library. */
const TIMEOUT = 40_000;

export function reading(fetch: Fetch, url: string, init?: RequestInit): Promise<Reading> {
  const hung = new Promise<Failed>((done) => setTimeout(done, TIMEOUT, { failed: 'hung' }));
  return Promise.race([read(fetch, url, init), hung]);
}

async function read(fetch: Fetch, url: string, init?: RequestInit): Promise<Reading> {
  try {
    const response = await fetch(url, init);
    const { headers, status } = response;
    const body = await response.arrayBuffer();
    return {
      status,
      url: response.url,
      source: sourceOf(response),
      user: headers.get('x-user'),
      version: Number(headers.get('x-version')),
      size: body.byteLength,
      whole: (await digest(body)) === headers.get('x-digest'),
    };
  } catch (error) {
    return { failed: isFailure(error) ? error.category : String(error) };
  }
}

async function digest(body: ArrayBuffer): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
