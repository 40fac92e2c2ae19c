import { accessSync, constants, globSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** Where programs are looked up by their name. */
export const searchPath: readonly string[] = (process.env.PATH ?? '').split(delimiter).filter(Boolean);

/**
 * The full path of the first of these programs that is there. Names are looked up on the `PATH`; what has a slash is a path
 * or a pattern for one.
 */
export function find(...programs: readonly string[]): string | undefined {
  for (const program of programs) {
    const candidates = /[/\\]/.test(program)
      ? globSync(program)
      : searchPath.map((folder) => join(folder, program));
    const found = candidates.find(isProgram);
    if (found) return resolve(found);
  }
  return undefined;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
