import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Runs a measurement in a process of its own and gives what it printed.
 *
 * The source is bundled first, so that what is measured is what users get; the peers are imported as they are.
 */
export async function measureInChild<Result>(
  script: URL,
  flags: readonly string[],
  args: readonly (number | string)[],
): Promise<Result> {
  // Inside the project, where the peers are found.
  const folder = await mkdtemp(fileURLToPath(new URL('../../node_modules/.bench-', import.meta.url)));
  const outfile = join(folder, 'measure.mjs');
  try {
    await build({
      entryPoints: [fileURLToPath(script)],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'neutral',
      packages: 'external',
      target: 'es2022',
      logLevel: 'error',
    });
    return JSON.parse(await outputOf([...flags, outfile, ...args.map(String)])) as Result;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function outputOf(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`the measurement ended with ${code}`)),
    );
  });
}
