/** Opens a database by the platform's own calls, so that no change of the store changes it. @param create Called for a new one. */
export function openRaw(
  name: string,
  version?: number,
  create?: (database: IDBDatabase) => void,
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => create?.(request.result);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => resolve(request.result);
  });
}
