/** Integers become numbers, Booleans booleans, Strings and Tokens text; other types stay as they are written. */
export type BareItem = string | number | boolean;

export interface FieldItem {
  readonly value: BareItem;
  readonly parameters: ReadonlyMap<string, BareItem>;
}

// String | Integer, Decimal or Date | Token | Byte Sequence | Boolean | Display String
const BARE = String.raw`(?:"(?:[ !#-[\]-~]|\\["\\])*"|@?-?\d{1,15}(?:\.\d{1,3})?|[A-Za-z*][\w!#$%&'*+.^|~:/\x60-]*|:[\w+/=]*:|\?[01]|%"[ !#-~]*")`;
const ITEM = new RegExp(BARE, 'y');
const PARAMETER = new RegExp(`; *([a-z*][a-z0-9_.*-]*)(?:=(${BARE}))?`, 'y');
const SEPARATOR = /[ \t]*(?:,[ \t]*(?=.)|$)/y;

/**
 * A List of Items with parameters (RFC 9651, 3.1), without Inner Lists.
 *
 * @returns `undefined` for a malformed field: by section 4.2 the whole field is ignored.
 */
export function listOfItems(field: string): FieldItem[] | undefined {
  const text = trimmed(field);
  const items: FieldItem[] = [];
  let at = 0;
  // Piece by piece: engines run a pattern that repeats a group many times without their compiler.
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  while (at < text.length) {
    const [value] = next(ITEM) ?? [];
    if (value === undefined) return undefined;
    const parameters = new Map<string, BareItem>();
    for (let each = next(PARAMETER); each; each = next(PARAMETER))
      parameters.set(each[1] as string, bare(each[2] ?? '?1'));
    if (!next(SEPARATOR)) return undefined;
    items.push({ value: bare(value), parameters });
  }
  return items;
}

/** A field without the spaces around it. A regular expression would look at each space again for each before it. */
function trimmed(field: string): string {
  let start = 0;
  let end = field.length;
  while (field[start] === ' ') start++;
  while (end > start && field[end - 1] === ' ') end--;
  return field.slice(start, end);
}

function bare(text: string): BareItem {
  if (text.startsWith('"')) return text.slice(1, -1).replace(/\\(.)/g, '$1');
  if (text.startsWith('?')) return text === '?1';
  return /^-?\d+$/.test(text) ? Number(text) : text;
}
