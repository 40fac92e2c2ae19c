import ts from 'typescript';

/** One use of a banned word. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly word: string;
  /** What to write instead. */
  readonly instead: string;
}

/** A piece of a source file that people read. */
interface Piece {
  readonly kind: 'name' | 'comment' | 'text';
  readonly text: string;
  readonly at: number;
}

/** Words of an identifier or a file name: `#readAtEOF2`, `read-at-eof` → read, at, eof. */
export const wordsOf = (name: string): string[] =>
  [...name.matchAll(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g)].map(([word]) => word.toLowerCase());

/** Names, comments and texts of a source file, by TypeScript's scanner: code inside strings is text, not code. */
export function* piecesOf(source: string): Generator<Piece> {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, source);
  /** For each open template expression, how many braces are open in it. */
  const templates: number[] = [];
  let before = ts.SyntaxKind.Unknown;
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    const open = templates.length - 1;
    if (isSlash(kind) && !endsValue(before)) kind = scanner.reScanSlashToken();
    else if (kind === ts.SyntaxKind.OpenBraceToken && open >= 0) templates[open] = (templates[open] ?? 0) + 1;
    else if (kind === ts.SyntaxKind.CloseBraceToken && open >= 0) {
      if (templates[open] === 0) {
        kind = scanner.reScanTemplateToken(false);
        if (kind === ts.SyntaxKind.TemplateTail) templates.pop();
      } else templates[open] = (templates[open] ?? 0) - 1;
    } else if (kind === ts.SyntaxKind.TemplateHead) templates.push(0);
    const piece = kindOf(kind);
    if (piece) yield { kind: piece, text: scanner.getTokenText(), at: scanner.getTokenStart() };
    if (!isTrivia(kind)) before = kind;
  }
}

const isSlash = (kind: ts.SyntaxKind): boolean =>
  kind === ts.SyntaxKind.SlashToken || kind === ts.SyntaxKind.SlashEqualsToken;

const isTrivia = (kind: ts.SyntaxKind): boolean =>
  kind >= ts.SyntaxKind.FirstTriviaToken && kind <= ts.SyntaxKind.LastTriviaToken;

/** After these a slash divides; elsewhere it begins a regular expression. */
const endsValue = (kind: ts.SyntaxKind): boolean =>
  kind === ts.SyntaxKind.Identifier ||
  kind === ts.SyntaxKind.ThisKeyword ||
  kind === ts.SyntaxKind.CloseParenToken ||
  kind === ts.SyntaxKind.CloseBracketToken ||
  kind === ts.SyntaxKind.CloseBraceToken ||
  kind === ts.SyntaxKind.TemplateTail ||
  (kind >= ts.SyntaxKind.FirstLiteralToken && kind <= ts.SyntaxKind.LastLiteralToken);

function kindOf(kind: ts.SyntaxKind): Piece['kind'] | undefined {
  switch (kind) {
    case ts.SyntaxKind.Identifier:
    case ts.SyntaxKind.PrivateIdentifier:
      return 'name';
    case ts.SyntaxKind.SingleLineCommentTrivia:
    case ts.SyntaxKind.MultiLineCommentTrivia:
      return 'comment';
    case ts.SyntaxKind.StringLiteral:
    case ts.SyntaxKind.NoSubstitutionTemplateLiteral:
    case ts.SyntaxKind.TemplateHead:
    case ts.SyntaxKind.TemplateMiddle:
    case ts.SyntaxKind.TemplateTail:
      return 'text';
    default:
      return undefined;
  }
}

export interface Vocabulary {
  /** Words that no name may have, with their replacement. */
  readonly names: ReadonlyMap<string, string>;
  /** Words that no sentence may have, with their replacement. */
  readonly prose: ReadonlyMap<string, string>;
}

/** The banned words of one file: in its own name, in names, in comments, and in texts of more than one word. */
export function findingsIn(file: string, source: string, { names, prose }: Vocabulary): Finding[] {
  const findings: Finding[] = [];
  const starts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const report = (at: number, word: string, instead: string): void => {
    findings.push({ file, line: starts.findLastIndex((start) => start <= at) + 1, word, instead });
  };
  for (const word of wordsOf(file.slice(file.lastIndexOf('/') + 1)))
    if (names.has(word)) report(0, `${word} (file name)`, names.get(word) as string);
  for (const { kind, text, at } of piecesOf(source)) {
    if (kind === 'name') {
      for (const word of wordsOf(text))
        if (names.has(word)) report(at, `${word} in ${text}`, names.get(word) as string);
    } else if (kind === 'comment' || text.includes(' ')) {
      for (const { 0: word, index } of text.matchAll(/[A-Za-z]+/g)) {
        const instead = prose.get(word.toLowerCase());
        if (instead) report(at + index, word, instead);
      }
    }
  }
  return findings;
}

/** The banned words of one test file: in comments and in the titles of tests. */
export function findingsInTest(file: string, source: string, { prose }: Vocabulary): Finding[] {
  const pieces = [...piecesOf(source)].filter(({ kind }) => kind === 'comment');
  const root = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    const title = ts.isCallExpression(node) && TEST.test(calleeOf(node.expression)) && node.arguments[0];
    if (title && (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title)))
      pieces.push({ kind: 'text', text: title.getText(root), at: title.getStart(root) });
    ts.forEachChild(node, visit);
  };
  visit(root);
  return pieces.flatMap(({ text, at }) =>
    [...text.matchAll(/[A-Za-z]+/g)].flatMap(({ 0: word, index }) => {
      const instead = prose.get(word.toLowerCase());
      const line = root.getLineAndCharacterOfPosition(at + index).line + 1;
      return instead ? [{ file, line, word, instead }] : [];
    }),
  );
}

const TEST = /^(test|describe|it|bench)$/;

/** The name that a chain of calls begins with: `test` of `test.skipIf(…)`, `test.each(…)`. */
function calleeOf(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) return calleeOf(node.expression);
  return ts.isTaggedTemplateExpression(node) ? calleeOf(node.tag) : '';
}
