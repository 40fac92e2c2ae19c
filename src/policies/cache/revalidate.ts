import type { Handler, PipelineContext } from '../../core/contract.ts';
import { HoldfastError } from '../../core/errors.ts';
import { tryWithLock } from '../../core/locks.ts';
import { isPageHidden, prefersReducedData } from '../../core/thrift.ts';
import { type Desk, isOf, told } from './desk.ts';
import type { Held } from './entry.ts';
import { placeOf } from './entry.ts';
import type { Asker } from './patience.ts';
import type { Question } from './question.ts';

/** So young is no copy asked about where data is to be saved, in ms. */
const SAVING = 5 * 60_000;

export interface Revalidator {
  /** Asks the origin about a copy that has been given to a caller: one at a time, over all tabs. */
  revalidate(pipeline: PipelineContext, held: Held, asker: Asker): void;
  /** Asks an origin that is silent, and announces what comes. */
  probe(pipeline: PipelineContext, held: Held, asker: Asker): Promise<void>;
}

/** @param readsOf The reads of a pipeline. */
export function revalidator(desk: Desk, readsOf: (pipeline: PipelineContext) => Handler): Revalidator {
  const underWay = new WeakMap<PipelineContext, Set<string>>();
  const { shelf, settings, questions } = desk;

  const ask = async (
    question: Question,
    pipeline: PipelineContext,
    { request, call }: Asker,
  ): Promise<void> => {
    const { partition, origin, options } = call;
    const works: Promise<unknown>[] = [];
    const own = questions.put(
      { ...question, isBehind: true },
      pipeline.background({ origin, partition, options }),
      {
        init: call.init,
        ...(call.transport && { transport: call.transport }),
        // Sent later, perhaps with the cookies of whoever has signed in since.
        beforeSend: () => {
          if (!isOf(pipeline, partition)) throw new UserChangedError();
        },
        waitUntil(work) {
          works.push(work);
          call.waitUntil(work);
        },
      },
    );
    try {
      // Where it has gone meanwhile there is nothing to be confirmed.
      await readsOf(pipeline)(request, own);
      // What is stored is what the next tab looks at before it asks itself.
      await Promise.all(works);
    } catch (error) {
      told(own, { type: 'cache-revalidated', url: request.url, error });
    }
  };

  const askUnlessNewer = async (pipeline: PipelineContext, held: Held, asker: Asker): Promise<void> => {
    const { call, request } = asker;
    const stored = await shelf.findStored(call.partition, request, call.host.clock.now());
    // Another tab has been faster.
    if (stored && stored.copy.receivedAt > held.copy.receivedAt) return;
    await ask({ held: stored }, pipeline, asker);
  };

  return {
    revalidate(pipeline, held, asker) {
      const { call } = asker;
      const { partition, url } = held.copy;
      const place = placeOf(partition, url);
      const places = underWay.get(pipeline) ?? new Set();
      underWay.set(pipeline, places);
      // The copy is given anyway: there is no need to ask where that would fail, nobody looks, or data is to be saved.
      if (places.has(place) || !call.host.connectivity.state || isPageHidden()) return;
      if (prefersReducedData() && call.host.clock.now() - held.copy.receivedAt < SAVING) return;
      places.add(place);
      const work = tryWithLock(`holdfast-cache ${settings.store.name} ${place}`, () =>
        askUnlessNewer(pipeline, held, asker),
      );
      call.waitUntil(work.finally(() => places.delete(place)));
    },
    probe: (pipeline, held, asker) => ask({ held, isGiven: true }, pipeline, asker),
  };
}

/** Nothing was sent: it would have been sent as somebody else. */
export class UserChangedError extends HoldfastError {
  override name = 'UserChangedError';

  constructor() {
    super('the user has changed since this was asked for', { code: 'user-changed', category: 'aborted' });
  }
}
