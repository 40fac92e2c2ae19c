import { watchBody } from '../../core/body.ts';
import type { Call, Home } from '../../core/contract.ts';
import { facts } from '../../core/rebuild.ts';
import type { Times } from '../../http/freshness.ts';
import { keptHeaders, leastSize } from '../../http/storable.ts';
import { varying } from '../../http/vary.ts';
import { Collector } from './collect.ts';
import type { Copy } from './copy.ts';
import { type Desk, isOf } from './desk.ts';
import { isFull } from './full.ts';

/** When something was asked for and answered, and what had been forgotten by then. */
export interface Asked extends Times {
  readonly moment: number;
}

export type Keep = (request: Request, response: Response, call: Call, asked: Asked) => void;

/** Collects a body as the caller reads it, and keeps it once it is whole. */
export function keeper(desk: Desk, home: Home): Keep {
  const { settings, shelf, patience } = desk;

  const store = async (copy: Copy, body: Collector, call: Call, { moment }: Asked): Promise<void> => {
    const { id: callId, origin, emit, host } = call;
    const whole = body.whole();
    const put = () => shelf.keep(copy, whole, body.size, callId, moment, host.clock.now());
    const gone = await put().catch(async (error) => {
      if (!isFull(error)) throw error;
      const room = await shelf.limits.giveUpAQuarter();
      desk.evicted(room);
      if (room.entries === 0) throw error;
      return put();
    });
    if (!gone) return;
    desk.stats.stored++;
    emit?.({ type: 'cache-stored', callId, origin, url: copy.url, bytes: body.size });
    desk.evicted(gone);
  };

  return (request, response, call, asked) => {
    const { partition } = call;
    const { url } = request;
    // Sent with whoever's cookies the browser had then: not for the partition of someone else.
    const isOther = !isOf(home, partition);
    const least = leastSize(response);
    if (isOther || least > settings.maxEntryBytes) {
      desk.discarded(isOther ? 'other-user' : 'too-large', url);
      return;
    }
    // Taken now: whoever holds on to the response keeps it from being collected.
    const copy: Copy = {
      partition,
      url,
      requestedAt: asked.requestedAt,
      receivedAt: asked.receivedAt,
      response: facts(response),
      headers: keptHeaders(response.headers),
      varying: varying(response.headers.get('vary'), request, settings.vary),
    };
    const body = new Collector(settings.maxEntryBytes);
    watchBody(response, {
      chunk: (bytes) => body.add(bytes),
      settled(how) {
        if (how !== 'ended' && how !== 'none') return;
        if (body.isTooLarge || body.size < least) {
          desk.discarded(body.isTooLarge ? 'too-large' : 'incomplete', url);
          return;
        }
        call.waitUntil(patience.writing('keep', call.host, () => store(copy, body, call, asked)));
      },
    });
  };
}
