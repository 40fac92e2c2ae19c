import type { Hooks, Options } from 'ky';
import { TRANSPORT } from '../../core/entry.ts';
import { retrying, StoppedError, stopIfStopped, withFacts } from './hooks.ts';
import { limitOf, withTotal } from './limits.ts';
import { type ClientOptions, PER_CALL, plainForKy } from './options.ts';

/** The options of a call for ky: ours as plain data, and our translation after every other init hook. */
export function prepared(options: ClientOptions, translate: (options: Options) => void): Options {
  const plain = plainForKy(options);
  const hooks = plain.hooks as Partial<Hooks> | undefined;
  return { ...plain, hooks: { ...hooks, init: [...(hooks?.init ?? []), translate] } } as Options;
}

/** Takes what the pipeline carries out from ky's hands, per call, when every other hook has spoken. */
export const translation =
  (forced: number, pipeline: Options['fetch']) =>
  (given: Options): object => {
    const options = given as Record<string, unknown>;
    // Said as to the plain fetch, which is as good.
    const holdfast: Record<string | symbol, unknown> = { ...(options.holdfast as object | undefined) };
    // The fetch of one call is its transport: it is inside the policies.
    if (given.fetch && given.fetch !== pipeline) holdfast[TRANSPORT] = given.fetch;
    options.fetch = pipeline;
    for (const name of PER_CALL) {
      if (options[name] !== undefined) holdfast[name] = options[name];
      delete options[name];
    }
    const limits = withTotal(options.timeout, options.totalTimeout);
    if (limits !== undefined) holdfast.timeout = limits;
    const { retry, hooks } = given;
    const { beforeRetry = [] } = hooks ?? {};
    const spoken = retrying(retry, beforeRetry, given);
    if (spoken !== undefined) holdfast.retry = spoken;
    given.hooks = {
      ...hooks,
      ...(beforeRetry.length > 0 && { beforeRetry: [stopIfStopped, ...beforeRetry] }),
      beforeError: [withFacts, ...(hooks?.beforeError ?? [])],
    };
    Object.assign(options, {
      holdfast,
      timeout: false,
      totalTimeout: false,
      // Forced retries are ky's; all others are the pipeline's.
      retry: {
        limit: limitOf(retry, forced),
        shouldRetry: ({ error }: { error: Error }) => error instanceof StoppedError,
      },
    });
    return holdfast;
  };
