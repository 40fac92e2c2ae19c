/** The longest part of a name: file systems have 255 bytes. */
const LONGEST = 200;

/** Ends a part that goes on in the next. */
const MORE = '+';

/** What stands at the end of a key's name, so that it is never the beginning of another one's. */
export type KeySuffix = '.item' | '.body';

/**
 * The name of a key: a part for each of its words, as drivers list what is under some parts. There is nothing in it that a
 * driver, a file system or a URL would read as something else, nor a capital letter, as some do not tell these apart.
 */
export const nameOf = (key: string, ending: KeySuffix): string => `${partsOf(key.split(' '))}${ending}`;

/** What the names of all that begins with a text begin with; perhaps others do, too. */
export function baseOf(prefix: string): string {
  const words = prefix.split(' ').slice(0, -1);
  return words.length === 0 ? '' : `${partsOf(words)}:`;
}

/** @returns `undefined` for what is not the name of an item. */
export function keyOf(name: string): string | undefined {
  if (!name.endsWith('.item')) return undefined;
  return name
    .slice(0, -'.item'.length)
    .replaceAll(`${MORE}:`, '')
    .split(':')
    .map((part) => part.slice(1).replace(/~(u....|..)/g, (_, code) => unescaped(code)))
    .join(' ');
}

/** Each begins with a letter, as none may be empty. */
const partsOf = (words: readonly string[]): string =>
  words.map((word) => cut(`k${word.replace(/[^a-z0-9_-]/g, escaped)}`)).join(':');

const cut = (part: string): string =>
  part.length <= LONGEST ? part : `${part.slice(0, LONGEST)}${MORE}:${cut(part.slice(LONGEST))}`;

function escaped(unit: string): string {
  const code = unit.charCodeAt(0);
  return code < 256 ? `~${code.toString(16).padStart(2, '0')}` : `~u${code.toString(16).padStart(4, '0')}`;
}

const unescaped = (code: string): string => String.fromCharCode(Number.parseInt(code.replace('u', ''), 16));
