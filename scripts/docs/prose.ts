import type { Page, Prose } from './pages.ts';

const LONG = 25;
/** The share of long sentences that a page may have. */
export const LONG_SHARE = 0.1;
/** Shorter pieces of text are labels. */
const SENTENCE = 4;

/** A word, and the word of the glossary in its place. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\b(who|whoever|whom)\b/i, 'name the subject'],
  [/\b(nobody|somebody|someone|everybody)\b/i, 'name the subject'],
  [/\b(told|heard|hears?|tells? (of|others|nobody))\b/i, 'emit, broadcast, receive'],
  [/\bmeanwhile\b/i, 'until then'],
  [/\b(answers?|answered|answering)\b/i, 'response, respond'],
  [
    /\bcopies\b|\b(a|an|the|no|its|this|that|last|good|stale|fresh|any|older|stored) copy\b/i,
    'cached response',
  ],
  [/\b(seals?|sealed)\b/i, 'encrypt'],
  [/\bshel(f|ves)\b|\bcrew\b|\bdesk\b|\bpatience\b|\bleftovers?\b/i, 'see the glossary'],
  [/\bbehind (your|the caller's|their|our|a caller's) backs?\b/i, 'in the background'],
  [/\b(to be had|is told|are told)\b/i, 'active voice'],
];

export interface Reading {
  readonly path: string;
  readonly sentences: number;
  readonly long: readonly Prose[];
  readonly banned: readonly string[];
}

export function read({ path, prose }: Page): Reading {
  const sentences = prose.flatMap(sentencesOf).filter(({ text }) => wordsIn(text) >= SENTENCE);
  return {
    path,
    sentences: sentences.length,
    long: sentences.filter(({ text }) => wordsIn(text) > LONG),
    banned: prose.flatMap(({ text, line }) =>
      BANNED.flatMap(([word, instead]) => {
        const found = word.exec(text);
        return found ? [`${path}:${line}: "${found[0]}" (${instead})`] : [];
      }),
    ),
  };
}

export function shareOf({ long, sentences }: Reading): number {
  return sentences === 0 ? 0 : long.length / sentences;
}

function sentencesOf({ text, line }: Prose): Prose[] {
  return text.split(/(?<=[.!?][)"’”]?) (?=\S)/).map((sentence) => ({ text: sentence, line }));
}

function wordsIn(text: string): number {
  return text.split(' ').filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
