// import: a server → the document that says what is so there, on standard output; what is to be said about it, on standard error.
import { adoptSteps } from './adopt-steps.ts';
import { oneLine } from '../document/show.ts';
import { matches } from '../model/pattern.ts';
import { createConnections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { type ImportedServer, importServer } from '../steward/import-server.ts';
import { serverOf } from '../steward/server.ts';
import { withProgress } from './progress.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** Prints the document of a server. @returns 0 where a plan for it is empty, 2 where something is left or could not be read, 1 where there is none. @throws UsageError */
export async function importVerb(given: Given, self: Program): Promise<number> {
  const config = settingsFrom(given, self);
  const { options } = given;
  const { stdout, stderr } = self;
  const asked = { isWanted: wanted(options.get('roles')), isWantedDatabase: wanted(options.get('databases')) };
  const connections = createConnections(config.server, () => undefined);
  try {
    const imported = await withProgress(stderr, 'reading the server', () => importServer(serverOf(config, connections), asked));
    await say(stdout, imported.text);
    await say(stderr, linesOf([...remarksOf(imported), ...(options.has('adopt-plan') ? adoptSteps(config) : [])]));
    return imported.isWhole && imported.differences.length + imported.problems.length === 0 ? 0 : 2;
  } catch (error) {
    throw new UsageError(oneLine(whyNot(error).message));
  } finally {
    await connections.close();
  }
}

/** Patterns with commas between them; all where there are none. */
function wanted(option: string | true | undefined): (name: string) => boolean {
  if (typeof option !== 'string') return () => true;
  const patterns = option.split(',').map((pattern) => pattern.trim());
  return (name) => patterns.some((pattern) => matches(pattern, name));
}

const linesOf = (lines: readonly string[]): string => lines.map((line) => `${oneLine(line)}\n`).join('');

/** What is said about a document, a line each. */
const remarksOf = ({ remarks, differences, problems, isWhole }: ImportedServer): readonly string[] => [
  ...remarks.map(({ subject, message }) => (subject === '' ? message : `${subject}: ${message}`)),
  ...problems.map((problem) => `the document has a problem: ${problem}`),
  ...differences.map((difference) => `not as the document says: a plan would ${difference}`),
  differences.length + problems.length === 0
    ? `a plan for this document is empty${isWhole ? '' : ', as far as the server could be read'}`
    : `a plan for this document is not empty: ${differences.length} change(s), ${problems.length} problem(s)`,
];
