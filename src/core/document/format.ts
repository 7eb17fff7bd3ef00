// A problem as one line, in the form that editors and people know.
import type { Problem } from './types.ts';

/** `users.yaml:12:5: users[3].rols: unknown key …` */
export const formatProblem = ({ file, position, path, message }: Problem): string =>
  `${file}:${position.line}:${position.column}: ${path === '' ? '' : `${path}: `}${message}`;
