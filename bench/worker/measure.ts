import { brotliCompressSync, gzipSync } from 'node:zlib';
import { bundled } from '../../playground/worker/bundle.ts';
import { startWorker } from '../../playground/worker/run.ts';
import type { Times } from '../measure/race.ts';
import { seeded, shuffled } from '../measure/random.ts';

export interface WorkerMeasured {
  /** Milliseconds from the start of workerd to the first answer, by round. */
  readonly cold: Times;
  /** Bytes of the bundle. */
  readonly size: Readonly<Record<string, { minified: number; gzip: number; brotli: number }>>;
}

const workers = {
  'without the library': new URL('bare.ts', import.meta.url),
  'with it': new URL('../../playground/worker/worker.ts', import.meta.url),
};

/** Measures the Worker of the playground beside the same one without the library, in workerd. */
export async function measureWorker({
  rounds,
  seed,
}: {
  rounds: number;
  seed: number;
}): Promise<WorkerMeasured> {
  const random = seeded(seed);
  const scripts = await Promise.all(
    Object.entries(workers).map(
      async ([name, entry]) => [name, await bundled(entry, { minify: true })] as const,
    ),
  );
  const cold: Times = Object.fromEntries(scripts.map(([name]) => [name, []]));
  // What comes from the disk for the first time is nobody's.
  for (const [, script] of scripts) await firstAnswer(script);
  for (let round = 0; round < rounds; round++)
    for (const [name, script] of shuffled(scripts, random)) cold[name]?.push(await firstAnswer(script));
  return { cold, size: Object.fromEntries(scripts.map(([name, script]) => [name, sizeOf(script)])) };
}

async function firstAnswer(script: string): Promise<number> {
  const start = performance.now();
  const worker = await startWorker({ upstream: 'http://127.0.0.1:2', script });
  const answer = await fetch(`${worker.url}nothing`);
  await answer.text();
  const spent = performance.now() - start;
  await worker.stop();
  if (answer.status !== 404) throw new Error(`The Worker answered ${answer.status}`);
  return spent;
}

function sizeOf(script: string) {
  const code = Buffer.from(script);
  return {
    minified: code.byteLength,
    gzip: gzipSync(code, { level: 9 }).byteLength,
    brotli: brotliCompressSync(code).byteLength,
  };
}
