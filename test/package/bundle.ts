import { build } from 'esbuild';
import type { Project } from './project.ts';

/** Makes one module of this one and of all that it imports from the project, as users' bundlers do. */
export async function bundle(
  { folder }: Project,
  contents: string,
  conditions: string[] = [],
): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions,
    write: false,
  });
  return outputFiles.map(({ text }) => text).join('');
}
