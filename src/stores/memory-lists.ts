/** Keys under names, both in order: what is under one name is found without looking at the rest. */
export class Lists {
  /** Those under which there is something. */
  readonly names: string[] = [];
  readonly #keys = new Map<string, string[]>();

  under(name: string): readonly string[] {
    return this.#keys.get(name) ?? [];
  }

  move(key: string, from: string | undefined, to: string | undefined): void {
    if (from === to) return;
    if (from !== undefined) this.#remove(from, key);
    if (to !== undefined) this.#add(to, key);
  }

  #add(name: string, key: string): void {
    const keys = this.#keys.get(name);
    if (keys) {
      insert(keys, key);
    } else {
      this.#keys.set(name, [key]);
      insert(this.names, name);
    }
  }

  #remove(name: string, key: string): void {
    const keys = this.#keys.get(name) as string[];
    remove(keys, key);
    if (keys.length > 0) return;
    this.#keys.delete(name);
    remove(this.names, name);
  }
}

/** Where a key stands or would stand in an ordered list. */
export function position(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param key One that is not there yet. */
export function insert(keys: string[], key: string): void {
  keys.splice(position(keys, key), 0, key);
}

/** @param key One that is there. */
export function remove(keys: string[], key: string): void {
  keys.splice(position(keys, key), 1);
}
