import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDenoServer } from '../../playground/deno/run.ts';
import { startServer } from '../../tools/misbehaving-server/server.ts';
import { deno } from '../../tools/runtimes/installed.ts';
import { createProject, execute, type Project } from './project.ts';

const read = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

describe('for JSR', () => {
  test('says of itself what the package says', async () => {
    const [forNpm, forJsr] = [await read('package.json'), await read('deno.json')];
    expect(forJsr.name).toBe(`@${forNpm.name}/${forNpm.name}`);
    expect([forJsr.version, forJsr.license]).toEqual([forNpm.version, forNpm.license]);
    const entries = Object.keys(forNpm.exports).filter((entry) => !entry.endsWith('.json'));
    expect(Object.keys(forJsr.exports)).toEqual(entries);
    const needed = Object.entries(forNpm.dependencies).map(([name, range]) => [name, `npm:${name}@${range}`]);
    expect(forJsr.imports).toEqual(Object.fromEntries(needed));
  });

  test.skipIf(!deno && !process.env.CI)(
    'can be published: compiles in Deno, and has no slow types',
    async () => {
      await execute(deno ?? 'deno', ['publish', '--dry-run', '--allow-dirty'], '.');
    },
  );
});

describe.skipIf(!deno && !process.env.CI)('the packed and installed package', () => {
  let project: Project;
  beforeAll(async () => {
    project = await createProject();
  });
  afterAll(() => project?.remove());

  test('is what the server of the playground needs, with no more permissions than from source', async () => {
    const server = join(project.folder, 'server.ts');
    await copyFile('playground/deno/server.ts', server);
    const upstream = await startServer();
    const database = join(project.folder, 'orders.db');
    const running = await startDenoServer({ upstream: upstream.url, database, server, imports: undefined });
    try {
      const answer = await fetch(running.url, { method: 'POST', body: '{"item":"tea"}' });
      expect(answer.status).toBe(201);
      expect(await (await fetch(running.url)).json()).toMatchObject([{ item: 'tea' }]);
      expect(await running.stop()).toBe(0);
    } finally {
      await running.stop('SIGKILL');
      await upstream.close();
    }
  });
});
