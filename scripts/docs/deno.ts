import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { type Module, modulesOf } from './code.ts';
import type { Page } from './pages.ts';

/** Within the project, for the dependencies of the library; Deno reports no errors of files in `node_modules`. */
const CACHE = resolve('docs/.vitepress/cache');

/** Pages whose blocks run in Deno, and need nothing of an application. */
const PAGES: readonly string[] = ['docs/deno.md'];

/**
 * Blocks of the pages for Deno that `deno check` rejects: it knows the types of Deno itself, where `tsc` has those that
 * the library declares.
 */
export function brokenInDeno(deno: string, pages: readonly Page[]): string[] {
  const modules = pages.filter(({ path }) => PAGES.includes(path)).flatMap(modulesOf);
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'deno-'));
  const { exports } = JSON.parse(readFileSync('deno.json', 'utf8'));
  const imports = Object.entries<string>(exports).map(([entry, file]) => [
    entry.replace('.', 'holdfast'),
    `./${relative(folder, file)}`,
  ]);
  const config = {
    nodeModulesDir: 'manual',
    unstable: ['kv', 'cron'],
    // `dom` for the sources of the library.
    compilerOptions: {
      lib: ['deno.ns', 'deno.unstable', 'dom', 'dom.iterable', 'dom.asynciterable', 'esnext'],
      exactOptionalPropertyTypes: true,
    },
    imports: Object.fromEntries(imports),
  };
  writeFileSync(join(folder, 'deno.json'), JSON.stringify(config));
  const written = new Map(modules.map((module) => [write(module, folder), module]));
  try {
    const env = { ...process.env, NO_COLOR: '1' };
    execFileSync(deno, ['check', '--no-lock', ...written.keys()], { cwd: folder, env, stdio: 'pipe' });
    return [];
  } catch (error) {
    const output = String((error as { stderr?: Buffer }).stderr ?? error);
    const found = [...output.matchAll(/\[ERROR\]: (.*)\n[\s\S]*?\n {4}at file:\/\/(\S+):(\d+):\d+/g)];
    const problems = found.map(([, message, file = '', line]) => {
      const module = written.get(file);
      const place = module ? `${module.page}:${module.block.line + Number(line) - 1 - module.offset}` : file;
      return `${place}: deno check: ${message}`;
    });
    return problems.length > 0 ? problems : [`deno check: ${output}`];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write({ file, source }: Module, folder: string): string {
  const target = file.replace(resolve('.'), folder);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, source.replaceAll(`from '${resolve('.')}/`, `from '${folder}/`));
  return target;
}
