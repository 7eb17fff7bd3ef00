// A problem as one line of text, in the form that editors and terminals link to.
import type { Problem } from '../model/entries.ts';

/** `users.yaml:12:5: users[3].rols: unknown key …`; a warning says so before its message. */
export function formatProblem({ position, path, message, severity }: Problem): string {
  const parts = [`${position.file}:${position.line}:${position.column}`, path, severity === 'warning' ? 'warning' : '', message];
  return parts.filter((part) => part !== '').join(': ');
}
