// A plan as a script for psql.
import { oneLine } from '../document/show.ts';
import { saidSql } from '../sql/said-sql.ts';
import { UNSEEN } from '../sql/sql-text.ts';
import type { ScriptPart } from './plan-script.ts';
import type { PlanView } from './plan-view.ts';

/** The script, with what it cannot do as comments. Without changes it has comments alone. */
export function asSql(view: PlanView, parts: readonly ScriptPart[]): string {
  const { server, changes, notices, problems } = view;
  const said = [
    ...problems.map(({ file, line, message }) => `${file}:${line}: ${message}`),
    ...notices.map(({ kind, message, subject }) => `${kind}: ${subject === null ? '' : `${subject}: `}${message}`),
  ];
  return lines([
    comment(
      server === null
        ? 'The document cannot be used, and nothing is planned.'
        : `pgsteward plan for ${server.host}:${server.port}, PostgreSQL ${server.major}, read at ${server.readAt}.`,
    ),
    comment(`Of ${view.document}; ${changes.length} change(s).`),
    ...(server === null || parts.length === 0
      ? []
      : [
          comment(`To be run by psql as ${server.login}, and again where a plan after it is not empty, as one step may show the next. It holds no password.`),
          '\\set ON_ERROR_STOP on',
          '\\encoding UTF8',
        ]),
    ...said.map((text) => comment(`Beside the script: ${text}`)),
    ...parts.flatMap(partLines),
  ]);
}

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`;

/** Nothing that stands in a comment can end it. */
const comment = (text: string): string => `-- ${oneLine(text)}`;

function partLines(part: ScriptPart): readonly string[] {
  switch (part.kind) {
    case 'note':
      return [comment(part.text)];
    case 'database':
      return ['', `\\connect -reuse-previous=on ${argument(`dbname=${value(part.name)}`)}`, '\\encoding UTF8'];
    case 'alone':
      return part.statements.map(ended);
    case 'transaction':
      // Whatever the database or the role says of its sessions, these are those of whoever logged in, and mean the same.
      return ['BEGIN;', 'SET LOCAL ROLE NONE;', 'SET LOCAL search_path = pg_catalog, pg_temp;', ...part.statements.map(ended), 'COMMIT;'];
    default:
      return [];
  }
}

const ended = (statement: string): string => `${saidSql(statement.trim())};`;

/** A value of a connection string. */
const value = (name: string): string => `'${name.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** An argument of a command of psql, which ends at the end of the line. */
const argument = (text: string): string =>
  `'${text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "''")
    .replace(UNSEEN, (char) => [...Buffer.from(char)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''))}'`;
