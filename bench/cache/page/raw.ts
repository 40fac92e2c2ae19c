import { promisifyRequest } from 'idb-keyval';
import { HEADERS } from '../answer.ts';
import type { Bytes, Keeper } from './keepers.ts';

const FACTS = 'facts';
const BODIES = 'bodies';

/** What one would write by hand: headers and body as two records, read in one transaction over an open connection. */
export async function raw(name: string, pack: (body: Bytes) => Bytes | Blob): Promise<Keeper> {
  const opening = indexedDB.open(`bench ${name}`, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(FACTS);
    opening.result.createObjectStore(BODIES);
  };
  const database = await promisifyRequest(opening);
  return {
    name,
    keep(url, body) {
      const transaction = database.transaction([FACTS, BODIES], 'readwrite');
      transaction.objectStore(FACTS).put({ headers: HEADERS }, url);
      transaction.objectStore(BODIES).put(pack(body), url);
      return promisifyRequest(transaction);
    },
    hit: (url) =>
      new Promise((resolve, reject) => {
        const transaction = database.transaction([FACTS, BODIES]);
        const facts = transaction.objectStore(FACTS).get(url);
        const body = transaction.objectStore(BODIES).get(url);
        // Requests are answered in the order in which they were made.
        body.onsuccess = () => resolve(new Response(body.result, facts.result).arrayBuffer());
        transaction.onabort = () => reject(transaction.error);
      }),
  };
}
