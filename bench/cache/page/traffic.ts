/** What went between a page and its databases. */
export interface Traffic {
  records: number;
  /** About. */
  bytes: number;
}

type Method = (...args: unknown[]) => IDBRequest;

const READING = ['get', 'getAll', 'getKey', 'getAllKeys', 'count', 'openCursor', 'openKeyCursor'];
const WRITING = ['put', 'add', 'update'];

/** Counts while something is done. Unlike time, this is the same in each run. */
export async function countTraffic(work: () => Promise<unknown>): Promise<Traffic> {
  const traffic = { records: 0, bytes: 0 };
  const note = (records: number, value: unknown): void => {
    traffic.records += records;
    traffic.bytes += sizeOf(value);
  };
  const restore = [IDBObjectStore, IDBIndex, IDBCursor].flatMap(({ prototype }) => [
    ...wrapped(prototype, READING, (request) =>
      request.addEventListener('success', () => noteRead(request.result, note)),
    ),
    ...wrapped(prototype, WRITING, (_, [value]) => note(1, value)),
  ]);
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
  }
  return traffic;
}

function noteRead(result: unknown, note: (records: number, value: unknown) => void): void {
  if (result === undefined || result === null) return;
  // A count is made by going through the keys.
  if (typeof result === 'number') note(result, undefined);
  else if (Array.isArray(result)) note(result.length, result);
  else if (result instanceof IDBCursor)
    note(1, result instanceof IDBCursorWithValue ? result.value : result.key);
  else note(1, result);
}

function wrapped(
  prototype: object,
  names: readonly string[],
  told: (request: IDBRequest, args: readonly unknown[]) => void,
): (() => void)[] {
  const methods = prototype as Record<string, Method>;
  return names.flatMap((name) => {
    const original = methods[name];
    if (!original) return [];
    methods[name] = function (this: unknown, ...args) {
      const request = original.apply(this, args);
      told(request, args);
      return request;
    };
    const undo = (): void => {
      methods[name] = original;
    };
    return [undo];
  });
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (value instanceof Blob) return value.size;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  if (typeof value !== 'object' || value === null) return value === undefined ? 0 : 8;
  return Object.entries(value).reduce((size, [name, each]) => size + name.length + sizeOf(each), 0);
}
