import { afterEach } from 'vitest';

const names: string[] = [];

afterEach(() => {
  for (const name of names.splice(0)) indexedDB.deleteDatabase(name);
});

/** The name of a database of its own, which is deleted after the test. */
export function newName(): string {
  const name = `test-${crypto.randomUUID()}`;
  names.push(name);
  return name;
}
