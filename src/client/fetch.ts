import { isNamed } from '../core/contract.ts';
import { createPipeline, type HoldfastFetch, type PipelineOptions } from '../core/pipeline.ts';
import type { Auth } from '../policies/auth/auth.ts';
import { expected, isObject, unknownOption } from '../primitives/validate.ts';
import {
  type FetchOptions,
  IMPORTED,
  OF_PIPELINE,
  PLAIN,
  type StandardOptions,
  standard,
} from './standard.ts';

/** Policies that store data need a partition. */
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
 *
 * @example
 * const fetch = createFetch({ timeout: '5s', retry: { limit: 3 } });
 * const response = await fetch('https://api.example.com/items');
 */
export function createFetch(options: CreateFetchOptions = {}): HoldfastFetch<FetchOptions> {
  expected('an object', isObject(options), options, 'options');
  for (const [name, value] of Object.entries(options)) {
    if (!KNOWN.includes(name)) unknownOption(name, value, KNOWN);
    if (value && IMPORTED.includes(name))
      expected(`what ${name}() returns`, isNamed(value) && value.name === name, value, name);
  }
  return createPipeline<FetchOptions>(standard(options), options, {});
}
