import type { Change, Item, Store, StoredBody } from '../core/store.ts';
import { joined, type Kind, packedBody, unpacked } from './stored-body.ts';

/** What is to be changed, as plain data; bodies lie one after the other in the note's own. */
export type Note = readonly (
  | { readonly delete: string }
  | {
      readonly put: Item;
      readonly mark?: unknown;
      readonly body?: null | { readonly kind: Kind; readonly size: number };
    }
)[];

/** A store that may die in the middle of an item, in which it says what the body is. */
export interface Rewritable extends Store {
  /** What an item says of its body, as plain data; a `put` that keeps the body may come with it (`mark`). */
  markOf?(key: string): Promise<unknown>;
}

/** Where an item is written anew and its body kept, what is known of that body is noted with it. */
export const marked = (changes: readonly Change[], { markOf }: Rewritable): Promise<Change[]> =>
  Promise.all(
    changes.map(async (change) => {
      if ('delete' in change || change.body !== undefined) return change;
      const mark = await markOf?.(change.put.key);
      return mark === undefined ? change : { put: change.put, mark };
    }),
  );

/** @returns bodies as bytes, or `null` where there are none. */
export async function noted(
  changes: readonly Change[],
): Promise<{ note: Note; body: Uint8Array<ArrayBuffer> | null }> {
  const bodies: Uint8Array<ArrayBuffer>[] = [];
  const note = await Promise.all(
    changes.map(async (change) => {
      if ('delete' in change || change.body === undefined || change.body === null) return change;
      const { bytes, kind } = await packedBody(change.body);
      return { put: change.put, body: { kind, size: bytes.length }, bytes };
    }),
  );
  for (const each of note) if ('bytes' in each) bodies.push(each.bytes);
  return {
    note: note.map((each) => ('bytes' in each ? { put: each.put, body: each.body } : each)) as Note,
    body: bodies.length > 0 ? joined(bodies) : null,
  };
}

/** The changes that were noted. @returns `undefined` where their bodies are not there. */
export function changesOf(note: Note, body: StoredBody | undefined): Change[] | undefined {
  let at = 0;
  const changes = note.map((each): Change => {
    if ('delete' in each || !each.body) return each as Change;
    const { kind, size } = each.body;
    const bytes = body instanceof Uint8Array ? body.slice(at, at + size) : new Uint8Array();
    at += size;
    return { put: each.put, body: unpacked({ bytes, kind }) };
  });
  return at === (body instanceof Uint8Array ? body.length : 0) ? changes : undefined;
}
