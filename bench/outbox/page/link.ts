import { deleted, fill } from './filled.ts';
import { databaseOf, Holdfast } from './holdfast.ts';
import { taken } from './write.ts';

/** Milliseconds to deliver so many entries of one lane over a link, and what the link alone takes for them. */
export interface Link {
  readonly entries: number;
  readonly delivered: number;
  readonly wire: number;
}

const NAME = 'link';

/** From the request to the response, in ms. */
const LATENCY = 20;

export async function link(entries: number): Promise<Link> {
  await fill(NAME, entries);
  const queue = new Holdfast(NAME, exchange);
  await queue.box.counts();
  const delivered = await timed(async () => {
    const sent = await queue.drain();
    if (sent !== entries) throw new Error(`${sent} sent of ${entries}`);
  });
  await queue.close();
  await deleted(databaseOf(NAME));
  const wire = await timed(async () => {
    for (let nth = 0; nth < entries; nth++) await exchange();
  });
  return { entries, delivered, wire };
}

async function exchange(): Promise<Response> {
  await new Promise((resolve) => setTimeout(resolve, LATENCY));
  return taken();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
