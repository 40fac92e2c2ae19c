/** What is used of a `SqlStorage`. */
export interface Sql {
  exec(
    query: string,
    ...bindings: unknown[]
  ): { toArray(): Record<string, ArrayBuffer | string | number | null>[] };
}
