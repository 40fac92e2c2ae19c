import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sizeOf } from '../../bench/size/measure.ts';
import { deno } from '../../tools/runtimes/installed.ts';
import { type Origins, startOrigins } from '../../tools/runtimes/origins.ts';
import { type Bundler, bundlers, sizeWith } from './bundlers.ts';
import { environments } from './environments.ts';
import { createProject, execute, type Project } from './project.ts';

describe('the packed and installed package', () => {
  let project: Project;
  let origins: Origins;

  beforeAll(async () => {
    [project, origins] = await Promise.all([createProject(), startOrigins()]);
  });
  afterAll(() => Promise.all([project.remove(), origins.close()]));

  for (const { name, missing, run } of environments) {
    test.skipIf(missing && !process.env.CI)(`works in ${name}`, async () => {
      expect(missing).toBeUndefined();
      const passed = await run(project, origins.env.HOLDFAST_TEST_ORIGIN ?? '');
      expect(passed.length).toBeGreaterThan(0);
    });
  }

  test.each(Object.keys(bundlers))('%s leaves out what is not imported', async (name) => {
    const bundler = bundlers[name] as Bundler;
    const size = await sizeWith(bundler, project.folder, "export { isFailure } from 'holdfast';");
    expect(size).toBeLessThan(0.6);
  });

  test('a bundle of createFetch has the plain breaker, and not what breaker() adds', async () => {
    const ofBreaker = async (entry: string): Promise<string[]> => {
      const { files } = await sizeOf(new URL(`../../bench/size/${entry}.ts`, import.meta.url));
      const folder = 'dist/policies/breaker/';
      return files.flatMap(([file]) => (file.startsWith(folder) ? [file.slice(folder.length)] : []));
    };
    const rare = ['breaker', 'managed-circuits', 'probe', 'remote', 'sharing', 'slow-calls'];
    const files = rare.map((name) => `${name}.js`);
    const plain = await ofBreaker('create-fetch');
    expect(plain).toContain('stage.js');
    expect(plain.filter((file) => files.includes(file))).toEqual([]);
    expect(await ofBreaker('all-without-ky')).toEqual(expect.arrayContaining(files));
  });

  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const strict = ['--strict', '--noEmit', '--target', 'es2022'];
  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('compiles with module %s and moduleResolution %s', async (module, moduleResolution) => {
    const how = [
      '--module',
      module,
      '--moduleResolution',
      moduleResolution,
      '--lib',
      'es2022,dom,dom.iterable',
    ];
    await execute(process.execPath, [tsc, ...strict, ...how, 'consumer.ts'], project.folder);
  });

  test('compiles beside what `wrangler types` writes, without skipLibCheck', async () => {
    const { folder } = project;
    await writeFile(
      join(folder, 'wrangler.json'),
      JSON.stringify({ name: 'types', main: 'worker.ts', compatibility_date: '2026-07-01' }),
    );
    await writeFile(join(folder, 'worker.ts'), worker);
    // It comes with Vitest's plugin for Workers.
    const wrangler = resolve('node_modules/wrangler/bin/wrangler.js');
    await execute(process.execPath, [wrangler, 'types', '--include-env=false', 'platform.d.ts'], folder);
    const how = ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'esnext'];
    const said = await execute(
      process.execPath,
      [tsc, ...strict, '--exactOptionalPropertyTypes', ...how, 'platform.d.ts', 'worker.ts'],
      folder,
    ).catch((error: Error) => error.message);
    // ky's own types do not compile there.
    const ours = said
      .split('\n')
      .filter((line) => /error TS/.test(line) && !line.startsWith('node_modules/ky/'));
    expect(ours).toEqual([]);
  });

  test.skipIf(!deno)('compiles in Deno, without skipLibCheck', async () => {
    const { folder } = project;
    await writeFile(join(folder, 'deno.json'), '{ "nodeModulesDir": "manual" }');
    await writeFile(join(folder, 'deno-main.ts'), inDeno);
    await execute(deno as string, ['check', '--no-lock', '--unstable-kv', 'deno-main.ts'], folder);
  });

  test('a forgotten partition is a type error that says so', async () => {
    const { folder } = project;
    await writeFile(join(folder, 'forgotten.ts'), forgotten);
    const how = ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom,dom.iterable'];
    const said = await execute(process.execPath, [tsc, ...strict, ...how, 'forgotten.ts'], folder).catch(
      (error: Error) => error.message,
    );
    expect(said.match(/error TS/g)).toHaveLength(4);
    expect(said.match(/Property 'partition' is missing/g)).toHaveLength(4);
  });

  test('the devtools compile in a page, without skipLibCheck', async () => {
    const { folder } = project;
    await writeFile(join(folder, 'devtools.ts'), inPage);
    const how = ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom,dom.iterable'];
    await execute(process.execPath, [tsc, ...strict, ...how, 'devtools.ts'], folder);
  });

  test('compiles where there are the types of Node and none of browsers', async () => {
    const types = ['--lib', 'es2022', '--types', 'node', '--typeRoots', resolve('node_modules/@types')];
    const how = ['--module', 'nodenext', '--moduleResolution', 'nodenext', ...types];
    await execute(process.execPath, [tsc, ...strict, ...how, 'consumer.ts'], project.folder);
  });
});

const worker = `
  import { createClient, createFetch, dedupe, staleCache } from 'holdfast';
  import { webCacheStore, workersKVStore } from 'holdfast/cloudflare';

  declare const env: { readonly CACHE: KVNamespace };
  const upstream = createFetch({
    partition: 'public',
    staleCache: staleCache({ store: workersKVStore(env.CACHE) }),
  });
  export default { fetch: (request: Request) => upstream(request) };
  export const api = createClient({ dedupe: dedupe() });
  webCacheStore(caches.default);
`;

const inPage = `
  import { breaker, createClient, createFetch, memoryStore, outbox, staleCache } from 'holdfast';
  import { devtools, type FaultRule, faults } from 'holdfast/devtools';

  const net = faults();
  const parts = { breaker: breaker(), outbox: outbox({ store: memoryStore() }), staleCache: staleCache() };
  const api = createClient({ partition: 'public', fetch: net.fetch, ...parts });
  const detach: () => void = devtools(api, { name: 'shop', faults: net, ...parts });
  devtools(createFetch());
  const rule: FaultRule = { origin: '*', fault: 'slow', delay: 100 };
  net.set(rule);
  detach();
`;

const inDeno = `
  import { createClient, createFetch, staleCache } from 'holdfast';
  import { denoKvStore } from 'holdfast/deno';

  const upstream = createFetch({
    partition: 'public',
    staleCache: staleCache({ store: denoKvStore(() => Deno.openKv()) }),
  });
  Deno.serve((request) => upstream(request));
  createClient();
`;

const forgotten = `
  import { createClient, createFetch, memoryStore, outbox, staleCache } from 'holdfast';
  createClient({ staleCache: staleCache() });
  createClient({ baseUrl: 'x', outbox: outbox({ store: memoryStore() }) });
  createFetch({ staleCache: staleCache() });
  createFetch({ outbox: outbox({ store: memoryStore() }) });
`;
