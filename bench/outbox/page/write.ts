/** What every contestant is given to keep: a write of a JSON body of 1 kB. */
export const URL_OF_WRITES = 'https://api.example.com/orders';

const filler = 'x'.repeat(940);

export const bodyOf = (number: number): string =>
  JSON.stringify({ order: number, note: filler, placedAt: '2026-11-21T09:30:00.000Z' });

export const initOf = (number: number): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: bodyOf(number),
});

/** An origin that has taken the write before anybody can wait for it: what remains is the queue's own cost. */
export const taken = (): Response => new Response(null, { status: 204 });
