/** The state of the database of the life before: `broken` as the browser itself says. */
export type FoundDatabase = 'there' | 'absent' | 'broken';

export async function findDatabase(wanted: string): Promise<FoundDatabase> {
  try {
    const databases = await indexedDB.databases();
    return databases.some(({ name }) => name === wanted) ? 'there' : 'absent';
  } catch {
    return 'broken';
  }
}
