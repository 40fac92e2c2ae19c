import type { Change, Item } from '../core/store.ts';
import { type EncodedBody, encodeStoredBody, type Kind } from './stored-body.ts';
import { readText, textOf } from './structured-json.ts';

/** An item, and where its body is. */
export interface Kept {
  readonly item: Item;
  readonly body?: { readonly id: string; readonly kind: Kind; readonly size: number } | undefined;
}

/** What becomes of a folder. */
export interface Changed {
  readonly kept: readonly Kept[];
  /** Bodies that are new. */
  readonly bodies: readonly (readonly [id: string, body: EncodedBody])[];
  /** Ids of orphaned bodies. */
  readonly gone: readonly string[];
}

/** What another version has written is not there. */
const SCHEMA = 1;

/** Items are together whose keys are the same up to their last space; one at the very end does not count. */
export const folderOf = (key: string): string => key.slice(0, key.lastIndexOf(' ', key.length - 2) + 1);

export const writtenFolder = (indexRecord: string, kept: readonly Kept[]): string =>
  textOf({ schema: SCHEMA, folder: indexRecord, kept });

export function readFolder(folder: string, text: string): readonly Kept[] {
  try {
    const read = readText(text) as { schema?: unknown; folder?: unknown; kept: Kept[] };
    return read.schema === SCHEMA && read.folder === folder ? read.kept : [];
  } catch {
    return [];
  }
}

export async function changed(before: readonly Kept[], changes: readonly Change[]): Promise<Changed> {
  const kept = new Map(before.map((each) => [each.item.key, each]));
  const bodies: [string, EncodedBody][] = [];
  for (const change of changes) {
    if ('delete' in change) {
      kept.delete(change.delete);
      continue;
    }
    const { put: item, body } = change;
    if (body === null || body === undefined) {
      const old = body === undefined && kept.get(item.key)?.body;
      kept.set(item.key, { item, ...(old && { body: old }) });
      continue;
    }
    const encoded = await encodeStoredBody(body);
    const id = crypto.randomUUID();
    bodies.push([id, encoded]);
    kept.set(item.key, { item, body: { id, kind: encoded.kind, size: encoded.bytes.length } });
  }
  const stay = new Set([...kept.values()].map(({ body }) => body?.id));
  const gone = before.flatMap(({ body }) => (body && !stay.has(body.id) ? [body.id] : []));
  return { kept: [...kept.values()], bodies, gone };
}
