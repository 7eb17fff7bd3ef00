// How long files and functions are.
import { parseSync, Visitor } from 'oxc-parser';
import type { Files } from './imports.ts';

export interface Sized {
  /** The file, or the file with the function's name. */
  readonly what: string;
  readonly lines: number;
}

/** The lines of each file. */
export const filesOf = (files: Files): readonly Sized[] => [...files].map(([what, text]) => ({ what, lines: text.split('\n').length - 1 }));

/** The lines of each function, also of those within others, which count for both. @throws where a file is no TypeScript. */
export const functionsOf = (files: Files): readonly Sized[] => [...files].flatMap(([file, text]) => functionsIn(file, text));

function functionsIn(file: string, text: string): readonly Sized[] {
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const found: Sized[] = [];
  const starts = [...text.matchAll(/\n/g)].map(({ index }) => index);
  const lineAt = (offset: number): number => starts.findLastIndex((start) => start < offset) + 1;
  let name = '';
  const note = (node: { readonly start: number; readonly end: number }, own?: string): void => {
    found.push({ what: `${file} ${own ?? name}`, lines: lineAt(node.end) - lineAt(node.start) + 1 });
  };
  new Visitor({
    VariableDeclarator: ({ id }) => void (name = id.type === 'Identifier' ? id.name : ''),
    Property: ({ key }) => void (name = key.type === 'Identifier' ? key.name : ''),
    MethodDefinition: ({ key }) => void (name = key.type === 'Identifier' ? key.name : ''),
    FunctionDeclaration: (node) => note(node, node.id?.name),
    FunctionExpression: (node) => note(node),
    ArrowFunctionExpression: (node) => note(node),
  }).visit(program);
  return found;
}

export const median = (sized: readonly Sized[]): number => sized.map(({ lines }) => lines).toSorted((a, b) => a - b)[Math.floor(sized.length / 2)] ?? 0;
