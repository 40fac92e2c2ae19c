import { aborter } from '../../core/abort.ts';
import { drain } from '../../core/body.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { HoldfastError } from '../../core/errors.ts';
import { ifFree } from '../../core/locks.ts';
import { isHidden, savesData } from '../../core/thrift.ts';
import { asking, type Question } from './asking.ts';
import type { Held } from './copy.ts';
import { type Desk, isOf } from './desk.ts';
import { placeOf } from './place.ts';
import { bounded } from './silence.ts';

/** So young is no copy asked about where data is to be saved, in ms. */
const SAVING = 5 * 60_000;

export interface Revalidator {
  /** Asks the origin about a copy that has been given to a caller: one at a time, over all tabs. */
  revalidate(held: Held, request: Request, call: Call): void;
  /** Asks an origin that is silent, and announces what comes. */
  probe(held: Held, request: Request, call: Call): Promise<void>;
}

export function revalidator(desk: Desk, network: Handler, home: Home): Revalidator {
  const underWay = new Set<string>();
  const { shelf, settings } = desk;

  const ask = async (
    question: Question,
    request: Request,
    call: Call,
    responded: (response: Response) => Response,
    signal: AbortSignal,
  ): Promise<void> => {
    const { partition, origin, options } = call;
    const works: Promise<unknown>[] = [];
    const own: Call = {
      ...home.background({ origin, partition, options, signal }),
      init: call.init,
      ...(call.transport && { transport: call.transport }),
      // Sent later, perhaps with the cookies of whoever has signed in since.
      guard: () => {
        if (!isOf(home, partition)) throw new UserChangedError();
      },
      waitUntil(work) {
        works.push(work);
        call.waitUntil(work);
      },
    };
    try {
      // Where it has gone meanwhile there is nothing to be confirmed.
      await drain(responded(await network(request, asking(question, own))));
      // What is stored is what the next tab looks at before it asks itself.
      await Promise.all(works);
    } catch (error) {
      own.emit?.({ type: 'cache-revalidated', callId: own.id, origin, url: request.url, error });
    }
  };

  /** Bounded: no caller waits for it, and the next revalidation does. */
  const askInTime = async (question: Question, request: Request, call: Call): Promise<void> => {
    const { signal, abort } = aborter();
    const { responded, ended } = bounded(home, call, abort);
    await ask(question, request, call, responded, signal).finally(ended);
  };

  const askUnlessNewer = async (held: Held, request: Request, call: Call): Promise<void> => {
    const stored = await shelf.findStored(call.partition, request, call.host.clock.now());
    // Another tab has been faster.
    if (stored && stored.copy.receivedAt > held.copy.receivedAt) return;
    await askInTime({ held: stored }, request, call);
  };

  return {
    revalidate(held, request, call) {
      const { partition, url } = held.copy;
      const place = placeOf(partition, url);
      // The copy is given anyway: there is no need to ask where that would fail, nobody looks, or data is to be saved.
      if (underWay.has(place) || !call.host.online.state || isHidden()) return;
      if (savesData() && call.host.clock.now() - held.copy.receivedAt < SAVING) return;
      underWay.add(place);
      const work = ifFree(`holdfast-cache ${settings.store.name} ${place}`, () =>
        askUnlessNewer(held, request, call),
      );
      call.waitUntil(work.finally(() => underWay.delete(place)));
    },
    probe: (held, request, call) => askInTime({ held, isGiven: () => true }, request, call),
  };
}

/** Nothing was sent: it would have been sent as somebody else. */
export class UserChangedError extends HoldfastError {
  override name = 'UserChangedError';

  constructor() {
    super('the user has changed since this was asked for', { code: 'user-changed', category: 'aborted' });
  }
}
