import { ConfigurationError } from '../core/errors.ts';
import { type HoldfastFetch, type PipelineOptions, pipeline } from '../core/pipeline.ts';
import { type FetchOptions, type StandardOptions, standard } from './standard.ts';

/** Whose data it is must be said where data is kept. */
export type Partitioned =
  | { readonly staleCache?: undefined; readonly outbox?: undefined }
  | { readonly partition: string | (() => string) };

export type CreateFetchOptions = StandardOptions & PipelineOptions<FetchOptions> & Partitioned;

const POLICIES = ['timeout', 'retry', 'breaker', 'staleCache', 'outbox'];
const PIPELINE = ['name', 'fetch', 'host', 'partition', 'onEvent', 'routes', 'waitUntil'];

/**
 * A fetch that can stand wherever a `fetch` is expected. With no options it has time limits, retry and breaker at their
 * defaults; with all three `false` it is the platform's.
 *
 * @throws {ConfigurationError} on unknown, wrong or contradictory options.
 */
export function createFetch(options: CreateFetchOptions = {}): HoldfastFetch<FetchOptions> {
  for (const [name, value] of Object.entries(options)) {
    if (!POLICIES.includes(name) && !PIPELINE.includes(name))
      throw new ConfigurationError(
        name,
        value,
        `unknown option; known: ${[...POLICIES, ...PIPELINE].join(', ')}`,
      );
    if ((name === 'staleCache' || name === 'outbox') && value && typeof value !== 'function')
      throw new ConfigurationError(name, value, `expected what ${name}() returns`);
  }
  return pipeline<FetchOptions>(standard(options), options);
}
