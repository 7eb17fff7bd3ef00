// Reads a document written in a test.
import { formatProblem } from '../../src/document/format.ts';
import { parseDocument } from '../../src/document/parse.ts';
import type { Document, UserEntry } from '../../src/model/entries.ts';

export const read = (text: string): Document => parseDocument(new TextEncoder().encode(text), 'users.yaml');

/** The problems of a document as an author sees them. */
export const problemsOf = (text: string): readonly string[] => read(text).problems.map(formatProblem);

/** The only user of a document that has no problem. */
export function only(text: string): UserEntry {
  const { users, problems } = read(text);
  const [user] = users;
  if (user === undefined || users.length > 1 || problems.length > 0) throw new Error(`expected one user, got ${JSON.stringify({ users, problems })}`);
  return user;
}
