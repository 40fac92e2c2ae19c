/** A response that nothing refers to is collected while its body is still read. */
import { expect, test } from 'vitest';
import { bulkhead, createClient, createFetch, wholeBody } from '../../src/index.ts';
import { macrotask } from '../../src/testing.ts';

declare const gc: () => void;

/** Its first byte comes with the headers; each further part after a collection. */
const PARTS = 30;
const PART = 100_000;

const fetchParts = async (): Promise<Response> => {
  let sent = 0;
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await macrotask();
        gc();
        await macrotask();
        controller.enqueue(new Uint8Array(PART).fill(++sent));
        if (sent === PARTS) controller.close();
      },
    }),
  );
};

const whole = (bytes: ArrayBuffer) => expect(bytes.byteLength).toBe(PARTS * PART);

test('a large body has all its bytes in createClient with a bulkhead', async () => {
  const api = createClient({ bulkhead: bulkhead(), fetch: fetchParts });
  whole(await api.get('https://api.example/large').arrayBuffer());
});

test('a large body that is taken into the attempt has all its bytes with a bulkhead', async () => {
  const fetch = createFetch({ bulkhead: bulkhead(), retry: { until: wholeBody }, fetch: fetchParts });
  whole(await fetch('https://api.example/large').then((response) => response.arrayBuffer()));
});
