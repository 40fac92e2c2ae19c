import { isNamed, type Policy } from '../core/contract.ts';
import { ConfigurationError } from '../core/errors.ts';
import { type HoldfastFetch, type PipelineOptions, pipeline } from '../core/pipeline.ts';
import type { Auth } from '../policies/auth/auth.ts';
import {
  type FetchOptions,
  IMPORTED,
  OF_PIPELINE,
  PLAIN,
  type StandardOptions,
  standard,
} from './standard.ts';

/** Whose data it is must be said where data is kept. */
export type Partitioned =
  | { readonly staleCache?: undefined; readonly outbox?: undefined }
  | { readonly auth: Auth<() => string | undefined> }
  // The last one: TypeScript's error then names `partition`.
  | { readonly partition: string | (() => string | undefined) };

export type CreateFetchOptions = StandardOptions & PipelineOptions<FetchOptions> & Partitioned;

const KNOWN = [...PLAIN, ...IMPORTED, ...OF_PIPELINE];

/**
 * A fetch that can stand wherever a `fetch` is expected. With no options it has time limits, retry and breaker at their
 * defaults; with all three `false` it is the platform's.
 *
 * @throws {ConfigurationError} on unknown, wrong or contradictory options.
 */
export function createFetch(options: CreateFetchOptions = {}): HoldfastFetch<FetchOptions> {
  if (typeof options !== 'object' || options === null)
    throw new ConfigurationError('options', options, 'expected an object');
  for (const [name, value] of Object.entries(options)) {
    if (!KNOWN.includes(name))
      throw new ConfigurationError(name, value, `unknown option; known: ${KNOWN.join(', ')}`);
    if (IMPORTED.includes(name) && value && !(isNamed(value) && (value as Policy).name === name))
      throw new ConfigurationError(name, value, `expected what ${name}() returns`);
  }
  return pipeline<FetchOptions>(standard(options), options);
}
