import { format } from 'node:util';

/** Gives each case of a table its name: `%s`, `%i`, `%j`, `%o` stand for its values in turn, `$key` for one of an object, `%#` for its number. */
export function titleOf(template: string, values: readonly unknown[], index: number): string {
  const numbered = template.replaceAll('%#', String(index));
  const [first] = values;
  const named = numbered.replace(/\$([\w.]+)/g, (written, path: string) => {
    const value = at(first, path);
    return value === undefined ? written : String(value);
  });
  const wanted = named.match(/%[sdifjoO]/g)?.length ?? 0;
  return format(named, ...values.slice(0, wanted));
}

function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
}
