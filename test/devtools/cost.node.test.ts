import { build } from 'esbuild';
import { expect, test } from 'vitest';

/** The bundle of an application, and the bytes of the devtools in it. */
async function bundleOf(code: string): Promise<{ text: string; bytes: number }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const inputs = Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {});
  const bytes = inputs
    .filter(([file]) => file.includes('devtools'))
    .reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0);
  return { text: outputFiles[0]?.text ?? '', bytes };
}

const app = "import { createClient } from 'holdfast'; createClient();";

test('the devtools cost an application nothing that does not use them', async () => {
  const without = await bundleOf(app);
  expect(without.bytes).toBe(0);
  // After the application, which alone decides the order of what both import.
  const unused = await bundleOf(`${app} import 'holdfast/devtools';`);
  expect(unused.text).toBe(without.text);
  // As a bundler reads it that knows the mode: the branch of development is gone.
  const inProduction = await bundleOf(
    `import { devtools } from 'holdfast/devtools'; ${app} if (false) devtools(createClient());`,
  );
  expect(inProduction.bytes).toBe(0);
  expect(
    (await bundleOf(`import { devtools } from 'holdfast/devtools'; devtools(fetch);`)).bytes,
  ).toBeGreaterThan(1_000);
});

test('importing the devtools has no effect where there is no page', async () => {
  const { devtools, faults } = await import('../../src/devtools.ts');
  expect(globalThis.customElements).toBeUndefined();
  expect(faults().rules()).toEqual([]);
  expect(() => devtools({ subscribe: () => () => {} })()).not.toThrow();
});
