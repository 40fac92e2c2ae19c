import { accessSync, constants, globSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first of these programs that is there: names are looked up on the `PATH`, everything else is a path or a pattern for one. */
export function find(...programs: readonly string[]): string | undefined {
  for (const program of programs) {
    const candidates = /[/\\]/.test(program)
      ? globSync(program)
      : searchPath.map((folder) => join(folder, program));
    const found = candidates.find(isProgram);
    if (found) return found;
  }
  return undefined;
}

const searchPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean);

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
