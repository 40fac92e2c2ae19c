import { systemHost } from '../../core/host.ts';
import { Coordinator } from './coordinator.ts';
import { mixable, type ObjectClass } from './object-class.ts';
import type { Reply, Report } from './sharing-words.ts';

/** What isolates call on the stub of the object. */
export interface CoordinatorObject {
  /** Takes what an isolate knows, and gives what it does not. */
  exchange(report: Report): Promise<Reply>;
}

/**
 * What isolates share, as a Durable Object: see `betweenIsolates`. It keeps all of it in memory, for at most 1,000 origins, and
 * stores nothing: what it loses, the isolates tell it again.
 *
 * @param Base `DurableObject` of `cloudflare:workers`.
 *
 * @example
 * import { DurableObject } from 'cloudflare:workers';
 *
 * export class Coordinator extends coordinatorObject(DurableObject) {}
 */
export function coordinatorObject<Env, Instance extends object>(
  Base: ObjectClass<Env, Instance>,
): ObjectClass<Env, Instance & CoordinatorObject> {
  abstract class Coordinating extends mixable(Base, 'coordinatorObject.Base') implements CoordinatorObject {
    readonly #coordinator = new Coordinator(crypto.randomUUID());

    async exchange(report: Report): Promise<Reply> {
      return this.#coordinator.exchange(report, systemHost.clock.ticks());
    }
  }
  return Coordinating as never;
}
