import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Keeps what must survive the process. Each change is one line, so that many writes do not cost the square of their number. */
export interface Journal<Line> {
  lines(): Line[];
  append(line: Line): void;
  clear(): void;
}

export function fileJournal<Line>(file: string): Journal<Line> {
  return {
    lines() {
      if (!existsSync(file)) return [];
      const lines = readFileSync(file, 'utf8').split('\n');
      // The text after the last line break was cut off when the process died: its request got no response.
      const torn = lines.pop();
      if (torn) writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
      return lines.map((line) => JSON.parse(line));
    },
    // Synchronous: a write that has been answered is in the file, even if the process is killed right after.
    append: (line) => appendFileSync(file, `${JSON.stringify(line)}\n`),
    clear: () => writeFileSync(file, ''),
  };
}

export function noJournal<Line>(): Journal<Line> {
  return { lines: () => [], append() {}, clear() {} };
}
