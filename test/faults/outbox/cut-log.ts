import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const BLOCK = 32_768;
const HEADER = 7;

/**
 * Whether a log of Chromium's databases ends in the middle of a record, because the browser was
 * killed between the two writes that a record takes. At its next start it ignores that end, and
 * goes on writing right behind it. At the start after that it takes both for one spoilt record, and
 * deletes all databases of the site, whatever their durability.
 *
 * @see https://github.com/google/leveldb/issues/1287
 * @see https://github.com/google/leveldb/blob/main/doc/log_format.md
 */
export async function isLogCut(profile: string): Promise<boolean> {
  const folder = join(profile, 'Default', 'IndexedDB');
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const logs = files.filter((name) => /\.leveldb\/(\d+\.log|MANIFEST-\d+)$/.test(name));
  const contents = await Promise.all(logs.map((name) => readFile(join(folder, name))));
  return contents.some(endsWithin);
}

function endsWithin(log: Buffer): boolean {
  let isWithin = false;
  for (let at = 0; at < log.length; ) {
    const left = BLOCK - (at % BLOCK);
    if (left < HEADER) {
      at += left;
      continue;
    }
    if (at + HEADER > log.length) return true;
    const [length, type] = [log.readUInt16LE(at + 4), log.readUInt8(at + 6)];
    at += HEADER + length;
    if (at > log.length) return true;
    // The first and the middle parts of a record that goes over several blocks.
    isWithin = type === 2 || type === 3;
  }
  return isWithin;
}
