import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A folder outside the repository in which the package is installed as its users install it. */
export interface Project {
  readonly folder: string;
  remove(): Promise<void>;
}

const repository = fileURLToPath(new URL('../..', import.meta.url));

export async function createProject(): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-package-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await npm(repository, 'run', 'build');
    const [packed] = JSON.parse(
      await npm(repository, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder),
    );
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    await npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${packed.filename}`);
    for (const file of ['smoke.mjs', 'main.mjs', 'consumer.ts']) {
      await copyFile(new URL(file, import.meta.url), join(folder, file));
    }
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** @returns what the program wrote to its standard output */
export async function execute(program: string, args: readonly string[], cwd: string): Promise<string> {
  const env = plainEnv();
  try {
    return (await promisify(execFile)(program, args, { cwd, env, timeout: 90_000 })).stdout;
  } catch (error) {
    const { message, stdout } = error as Error & { stdout: string };
    throw new Error(`${message}\n${stdout}`);
  }
}

const npm = (cwd: string, ...args: string[]) => execute('npm', args, cwd);

/** Without what a test runner says to its own processes, which users' programs do not hear. */
function plainEnv(): NodeJS.ProcessEnv {
  const { NODE_ENV, NODE_OPTIONS, VITEST, ...env } = process.env;
  return env;
}
