import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Origins, startOrigins } from '../runtimes/origins.ts';
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

  test('compiles where there are the types of Node and none of browsers', async () => {
    const types = ['--lib', 'es2022', '--types', 'node', '--typeRoots', resolve('node_modules/@types')];
    const how = ['--module', 'nodenext', '--moduleResolution', 'nodenext', ...types];
    await execute(process.execPath, [tsc, ...strict, ...how, 'consumer.ts'], project.folder);
  });
});
