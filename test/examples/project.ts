import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** An example in a folder of its own outside the repository, with its dependencies installed. */
export interface Project {
  readonly folder: string;
  remove(): Promise<void>;
}

const repository = fileURLToPath(new URL('../..', import.meta.url));
const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

/**
 * Copies an example as a reader of it would, and links what its package.json names: the library from its source, under its
 * public name, and the rest from the repository.
 */
export async function install(example: string): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), `holdfast-${example}-`));
  await cp(join(repository, 'examples', example), folder, {
    recursive: true,
    filter: (source) => !/[/\\](node_modules|dist|\.wrangler)$/.test(source),
  });
  const { dependencies, devDependencies } = await readJson(join(folder, 'package.json'));
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    const link = join(folder, 'node_modules', name);
    if (name === 'holdfast') await writeLibrary(link);
    else await linkTo(join(repository, 'node_modules', name), link);
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** The published package.json, with source files in place of built ones. */
async function writeLibrary(folder: string): Promise<void> {
  const { name, version, type, sideEffects, exports } = await readJson(join(repository, 'package.json'));
  const { exports: sources } = await readJson(join(repository, 'deno.json'));
  await linkTo(join(repository, 'src'), join(folder, 'src'));
  await linkTo(join(repository, 'node_modules'), join(folder, 'node_modules'));
  const entries = Object.keys(exports).filter((entry) => entry in sources);
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({
      ...{ name, version, type, sideEffects },
      exports: Object.fromEntries(entries.map((entry) => [entry, sources[entry]])),
    }),
  );
}

async function linkTo(target: string, link: string): Promise<void> {
  await mkdir(dirname(link), { recursive: true });
  await symlink(target, link);
}
