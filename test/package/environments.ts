import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { find, searchPath } from '../../tools/runtimes/find.ts';
import { bun, chromium, deno, firefox, missingForWebkit } from '../../tools/runtimes/installed.ts';
import { inBrowser } from './in-browser.ts';
import { inWorkerd } from './in-workerd.ts';
import { execute, type Project } from './project.ts';

/** Somewhere to use the package. */
export interface Environment {
  readonly name: string;
  /** Why that cannot be tried here, if it cannot. */
  readonly missing?: string | undefined;
  /** @returns the names of the checks that passed */
  run(project: Project, origin: string): Promise<string[]>;
}

export const environments: readonly Environment[] = [
  program(`Node ${process.version}`, process.execPath),
  ...nodeOfTheMachine(),
  program('Deno', deno, ['run', '--no-lock', '--allow-net', '--allow-env', '--allow-read']),
  program('Bun', bun),
  { name: 'workerd', run: inWorkerd },
  browser('chromium', chromium ? undefined : 'no Chromium'),
  browser('firefox', firefox ? undefined : 'no Firefox'),
  browser('webkit', missingForWebkit()),
  simulatedPage('jsdom'),
  simulatedPage('happy-dom'),
];

function program(name: string, path: string | undefined, args: readonly string[] = []): Environment {
  return {
    name,
    missing: path ? undefined : `no ${name}`,
    run: async ({ folder }, origin) =>
      JSON.parse(await execute(path ?? name, [...args, 'main.mjs', origin], folder)),
  };
}

/** The repository brings a Node of its own; the one that it was started with is often older, and so is users'. */
function nodeOfTheMachine(): Environment[] {
  const folders = searchPath.filter((folder) => !folder.includes('node_modules'));
  const node = find(...folders.map((folder) => join(folder, 'node')));
  const version = node && execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const isOldEnough = version && version !== process.version;
  return isOldEnough ? [program(`Node ${version}`, node)] : [];
}

function browser(name: 'chromium' | 'firefox' | 'webkit', missing: string | undefined): Environment {
  return { name, missing, run: (project, origin) => inBrowser(name, project, origin) };
}

function simulatedPage(name: 'jsdom' | 'happy-dom'): Environment {
  const script = fileURLToPath(new URL('in-dom.mjs', import.meta.url));
  return {
    name,
    async run({ folder }, origin) {
      const args = [script, name, join(folder, 'smoke.mjs'), origin];
      return JSON.parse(await execute(process.execPath, args, folder));
    },
  };
}
