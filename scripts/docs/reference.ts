import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application, type ProjectReflection, ReflectionKind, type TypeDocOptions } from 'typedoc';
import { exportsOf } from './exports.ts';
import { PAGES } from './site.ts';

const options: Partial<TypeDocOptions> & Record<string, unknown> = {
  plugin: ['typedoc-plugin-markdown'],
  // Without a path of its own, TypeDoc empties `docs`.
  outputs: [{ name: 'markdown', path: join(PAGES, 'reference') }],
  out: join(PAGES, 'reference'),
  tsconfig: 'tsconfig.src.json',
  entryPoints: Object.values(entries()),
  readme: 'none',
  name: 'Every export',
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  githubPages: false,
  logLevel: 'Error',
  // One page for each function, class and interface, the rest on the page of its entry.
  router: 'member',
  membersWithOwnFile: ['Function', 'Class', 'Interface'],
  groupOrder: ['Functions', 'Classes', 'Interfaces', '*'],
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandObjects: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  propertyMembersFormat: 'table',
  typeDeclarationFormat: 'table',
  entryFileName: 'index',
  sanitizeComments: true,
};

export interface Reference {
  readonly exports: number;
  /** What is missing. */
  readonly problems: readonly string[];
}

/** Writes the reference from the docstrings. */
export async function writeReference(): Promise<Reference> {
  const app = await Application.bootstrapWithPlugins(options as Partial<TypeDocOptions>);
  const project = await app.convert();
  if (!project) return { exports: 0, problems: ['reference: TypeDoc found nothing'] };
  await app.generateOutputs(project);
  nameModules();
  return {
    exports: Object.values(entries()).flatMap(exportsOf).length,
    problems: missingIn(project),
  };
}

/** TypeDoc calls a module by its file; a reader knows it by what one imports. */
function nameModules(): void {
  const rows = Object.entries(entries()).map(([entry, file]) => {
    const module = moduleOf(file);
    const name = `holdfast${entry.slice(1)}`;
    const page = join(PAGES, 'reference', module, 'index.md');
    writeFileSync(page, readFileSync(page, 'utf8').replace(/^# .*/, `# ${name}`));
    return `| [\`${name}\`](${module}/index.md) | ${exportsOf(file).length} |`;
  });
  const head =
    '# Every export\n\nGenerated from the docstrings of the source.\n\n| entry | exports |\n|---|---|\n';
  writeFileSync(join(PAGES, 'reference', 'index.md'), `${head}${rows.join('\n')}\n`);
}

const moduleOf = (file: string): string => file.replace(/^\.\/src\/|(\/index)?\.ts$/g, '');

/** Exports that the reference lacks, and functions without a docstring or an example. */
function missingIn(project: ProjectReflection): string[] {
  return Object.entries(entries()).flatMap(([entry, file]) => {
    const module = project.children?.find(({ name }) => name === moduleOf(file));
    const found = new Map(module?.children?.map((each) => [each.name, each]));
    return exportsOf(file).flatMap((name) => {
      const reflection = found.get(name);
      if (!reflection) return [`reference: holdfast${entry.slice(1)} lacks ${name}`];
      const isFunction = reflection.kindOf(ReflectionKind.Function);
      const comment = isFunction ? reflection.signatures?.[0]?.comment : reflection.comment;
      if (!isFunction) return [];
      if (!comment) return [`reference: ${name} has no docstring`];
      return comment.getTag('@example') ? [] : [`reference: ${name} has no example`];
    });
  });
}

function entries(): Record<string, string> {
  return JSON.parse(readFileSync('deno.json', 'utf8')).exports;
}
