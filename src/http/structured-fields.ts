/** Integers become numbers, Booleans booleans, Strings and Tokens text; other types stay as they are written. */
export type BareItem = string | number | boolean;

export interface FieldItem {
  readonly value: BareItem;
  readonly parameters: ReadonlyMap<string, BareItem>;
}

// String | Integer, Decimal or Date | Token | Byte Sequence | Boolean | Display String
const BARE = String.raw`(?:"(?:[ !#-[\]-~]|\\["\\])*"|@?-?\d{1,15}(?:\.\d{1,3})?|[A-Za-z*][\w!#$%&'*+.^|~:/\x60-]*|:[\w+/=]*:|\?[01]|%"[ !#-~]*")`;
const PARAMETER = `; *([a-z*][a-z0-9_.*-]*)(?:=(${BARE}))?`;

const MEMBER = new RegExp(`(${BARE})((?:${PARAMETER})*)[ \t]*(,[ \t]*(?=.)|$)`, 'y');
const EACH = new RegExp(PARAMETER, 'g');

/**
 * A List of Items with parameters (RFC 9651, 3.1), without Inner Lists.
 *
 * @returns `undefined` for a malformed field: by section 4.2 the whole field is ignored.
 */
export function listOfItems(field: string): FieldItem[] | undefined {
  const text = trimmed(field);
  const items: FieldItem[] = [];
  MEMBER.lastIndex = 0;
  while (MEMBER.lastIndex < text.length) {
    const [, value, parameters = ''] = MEMBER.exec(text) ?? [];
    if (value === undefined) return undefined;
    const read = new Map<string, BareItem>();
    for (const [, name, given] of parameters.matchAll(EACH)) read.set(name as string, bare(given ?? '?1'));
    items.push({ value: bare(value), parameters: read });
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
