import { dirname, resolve } from 'node:path';
import ts from 'typescript';
import type { Block, Page } from './pages.ts';

/** What an application has of its own: names that pages use and do not explain. */
const APP = resolve('scripts/docs/app.d.ts');

/** A block as a module. */
export interface Module {
  readonly file: string;
  readonly source: string;
  /** Lines of `source` before the block. */
  readonly offset: number;
  readonly page: string;
  readonly block: Block;
}

/**
 * Blocks of TypeScript that do not compile. A block is a module; a name that it does not declare is that of an earlier
 * block of its page, or one of the application's. `ts no-check` leaves a block out: for code before a migration.
 */
export function brokenCode(pages: readonly Page[]): string[] {
  const modules = pages.flatMap(modulesOf);
  if (modules.length === 0) return [];
  const byFile = new Map(modules.map((module) => [module.file, module]));
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve('.'));
  Object.assign(options, { isolatedModules: false, verbatimModuleSyntax: false, noEmit: true });

  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => byFile.has(file) || fileExists(file);
  host.getSourceFile = (file, ...rest) => {
    const module = byFile.get(file);
    return module
      ? ts.createSourceFile(file, module.source, ts.ScriptTarget.ESNext, true)
      : getSourceFile(file, ...rest);
  };
  const program = ts.createProgram([APP, ...byFile.keys()], options, host);
  return modules.flatMap((module) => {
    const source = program.getSourceFile(module.file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText, start = 0 }) => {
      const line = source?.getLineAndCharacterOfPosition(start).line ?? 0;
      const place = `${module.page}:${module.block.line + line - module.offset}`;
      return `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}

export function modulesOf({ path, text, blocks }: Page): Module[] {
  const lines = text.split('\n');
  /** Which block declared a name last. */
  const declared = new Map<string, string>();
  return blocks.flatMap((block, index) => {
    const fence = lines[block.line - 2] ?? '';
    if (!/^tsx?$/.test(block.language) || fence.includes('no-check')) return [];
    // A block may say its name in its first line, so that others import it: `// api.ts`.
    const [, own] = /^\/\/ (?:\S+\/)?([\w.+-]+\.tsx?)\b/.exec(block.code) ?? [];
    const name = own ?? `block-${path.replace(/\W/g, '-')}-${index}.${block.language}`;
    const file = resolve(dirname(path), dirname(block.file ?? '.'), name);
    const source = ts.createSourceFile(file, block.code, ts.ScriptTarget.ESNext, true);
    const declares = declaredBy(source);
    const used = identifiersIn(source);
    const imports = [...declared]
      .filter(([name]) => used.has(name) && !declares.has(name))
      .map(([name, from]) => `import { ${name} } from '${from}';`);
    for (const name of declares.keys()) declared.set(name, file);
    const shared = [...declares].filter(([, isExported]) => !isExported).map(([name]) => name);
    return [
      {
        file,
        source: [...imports, block.code, `export { ${shared.join(', ')} };`].join('\n'),
        offset: imports.length,
        page: path,
        block,
      },
    ];
  });
}

/** Names at the top level of a module, and whether it exports them. */
export function declaredBy(source: ts.SourceFile): Map<string, boolean> {
  const names = new Map<string, boolean>();
  const add = (name: ts.BindingName, isExported: boolean): void => {
    if (ts.isIdentifier(name)) names.set(name.text, isExported);
    else for (const element of name.elements) if (ts.isBindingElement(element)) add(element.name, isExported);
  };
  for (const statement of source.statements) {
    const isExported =
      ts.canHaveModifiers(statement) &&
      (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (ts.isVariableStatement(statement))
      for (const { name } of statement.declarationList.declarations) add(name, isExported);
    else if (ts.isImportDeclaration(statement)) {
      const { name, namedBindings } = statement.importClause ?? {};
      if (name) add(name, false);
      if (namedBindings && ts.isNamedImports(namedBindings))
        for (const element of namedBindings.elements) add(element.name, false);
    } else if (
      (ts.isFunctionDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isInterfaceDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement)) &&
      statement.name
    )
      add(statement.name, isExported);
  }
  return names;
}

/** Identifiers that stand for a value or a type, and not for a property. */
export function identifiersIn(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !(ts.isPropertyAccessExpression(node.parent) && node.parent.name === node))
      names.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}
