// What is found out about documents, as text for people, as JSON for programs, and as annotations for GitHub.
import { formatProblem } from '../document/format.ts';
import type { FoundDocuments } from '../document/found-documents.ts';
import { oneLine } from '../document/show.ts';
import type { Document, Problem } from '../model/entries.ts';
import { harmless } from './harmless.ts';

/** Gives a problem's line the colour of its severity, where there is colour. */
export type Paint = (severity: Problem['severity'], line: string) => string;

/** Whether there is an error. */
export const isRefused = ({ document }: FoundDocuments): boolean => !document.usable || countOf(document, 'error') > 0;

/** A line for each problem, and a last one with counts. */
export const asText = (verdict: FoundDocuments, paint: Paint): string =>
  lines([...verdict.document.problems.map((problem) => paint(problem.severity, oneLine(formatProblem(problem)))), countsOf(verdict)]);

/** Workflow commands, which GitHub shows beside the lines of a pull request; the last line is none. */
export const asGithub = (verdict: FoundDocuments): string =>
  lines([...verdict.document.problems.map((problem) => annotation(problem, verdict)), countsOf(verdict)]);

/** One object, whose form docs/verbs.md describes. A new field may come; a change of what is there is a new version. */
export function asJson({ document, count, within, servers }: FoundDocuments): string {
  const { users, roles, databases, problems, usable } = document;
  const json = JSON.stringify(
    {
      version: 1,
      usable,
      errors: countOf(document, 'error'),
      warnings: countOf(document, 'warning'),
      documents: count,
      valid: { users: users.length, roles: roles.length, databases: databases.length, ...(servers === undefined ? {} : { servers }) },
      problems: problems.map((problem) => shownProblem(problem, within)),
    },
    undefined,
    2,
  );
  return `${harmless(json)}\n`;
}

/** A problem as JSON has it. */
export interface ShownProblem {
  readonly severity: Problem['severity'];
  readonly file: string;
  /** What line and column count in, where that is not the file. */
  readonly within?: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  /** The user or role that is kept as it was because of it. */
  readonly name?: string;
}

/** @param within names under which positions count within a key → the file. */
export const shownProblem = (
  { severity, position: { file, line, column }, path, message, username }: Problem,
  within: FoundDocuments['within'],
): ShownProblem => ({
  severity,
  file: within.get(file) ?? file,
  ...(within.has(file) ? { within: file } : {}),
  line,
  column,
  path,
  message,
  ...(username === undefined ? {} : { name: username }),
});

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`;

const countOf = ({ problems }: Document, severity: Problem['severity']): number => problems.filter((problem) => problem.severity === severity).length;

const UNUSABLE = '; nothing is used, and entries are not held against each other, until all can be read';

function countsOf({ document, count, servers }: FoundDocuments): string {
  const { users, roles, databases, usable } = document;
  return `errors: ${countOf(document, 'error')}, warnings: ${countOf(document, 'warning')}; documents: ${count}, with valid users: ${users.length}, roles: ${roles.length}, databases: ${databases.length}${servers === undefined ? '' : `, servers: ${servers}`}${usable ? '' : UNUSABLE}`;
}

function annotation(problem: Problem, { within }: FoundDocuments): string {
  const { severity, position, path, message } = problem;
  const file = within.get(position.file);
  const said = file === undefined ? [path, message].filter((part) => part !== '').join(': ') : formatProblem(problem);
  const place = file === undefined ? [`line=${position.line}`, `col=${position.column}`] : [];
  return `::${severity} ${[`file=${inProperty(file ?? position.file)}`, ...place].join(',')}::${inMessage(said)}`;
}

const inMessage = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const inProperty = (text: string): string => inMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
