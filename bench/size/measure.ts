import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

export interface Size {
  readonly minified: number;
  readonly gzip: number;
  readonly brotli: number;
  /** Minified bytes by the file they come from, largest first. */
  readonly files: readonly (readonly [string, number])[];
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * What an application ships that imports all of `entry` and nothing else.
 *
 * @param entry A file, or the code of one.
 */
export async function sizeOf(entry: URL | string): Promise<Size> {
  const { outputFiles, metafile } = await build({
    ...(typeof entry === 'string'
      ? { stdin: { contents: entry, resolveDir: ROOT } }
      : { entryPoints: [fileURLToPath(entry)] }),
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    // By its public name the library is what was built, not its source.
    tsconfigRaw: '{}',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'none',
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  const inputs = Object.values(metafile.outputs)[0]?.inputs ?? {};
  const files = Object.entries(inputs)
    .map(([file, { bytesInOutput }]) => [file, bytesInOutput] as const)
    .filter(([, bytes]) => bytes > 0)
    .sort(([, one], [, other]) => other - one);
  return {
    minified: code.byteLength,
    gzip: gzipSync(code, { level: 9 }).byteLength,
    brotli: brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).byteLength,
    files,
  };
}
