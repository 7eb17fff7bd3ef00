// Who may, and what somebody may, as text for people. Every line is put on one line where it is printed.
import { kindWords } from '../model/kinds.ts';
import type { Through } from './definers.ts';
import { objectWords, pathWords, section, wayWords } from './say.ts';
import { saidAs, saidGrantee, saidObject } from './said-name.ts';
import type { Securable } from './securable.ts';
import type { Might } from './what-can.ts';
import type { Person, WhoCan } from './who-can.ts';

/** An answer of who-can. */
export interface WhoTold {
  readonly privilege: string;
  readonly object: Securable;
  readonly database: string;
  readonly who: WhoCan;
  readonly ways: readonly Through[];
  /** Not all views and functions were looked at. */
  readonly more: boolean;
  readonly remarks: readonly string[];
  /** Against what was before: who could not, and who can no longer. */
  readonly change?: { readonly fresh: ReadonlySet<string>; readonly lost: readonly Person[] };
}

const personWords = ({ role, path, lacks }: Person): string =>
  `${path.chain.length === 1 ? `${saidAs(role)}: ` : ''}${pathWords(path)}${lacks.length === 0 ? '' : `; it lacks ${lacks.join(' and ')}`}`;

export function whoCanLines({ privilege, object, database, who, ways, more, remarks, change }: WhoTold): readonly string[] {
  const told = (person: Person): string => `${personWords(person)}${change?.fresh.has(person.role) === true ? ' (new)' : ''}`;
  const logins = who.people.filter(({ login }) => login);
  const through = ways.filter(({ everybody, people }) => everybody || people.length > 0);
  const lines = ({ way, everybody, people }: Through): readonly string[] => [
    `${wayWords(way)}: ${[...(everybody ? ['everybody (PUBLIC)'] : []), ...people.map(({ role }) => saidAs(role))].join(', ')}`,
  ];
  return [
    who.everybody
      ? `everybody has ${privilege} on ${objectWords(object, database)}, as PUBLIC has it; these would have it anyway`
      : `${who.people.length} ${who.people.length === 1 ? 'role has' : 'roles have'} ${privilege} on ${objectWords(object, database)}, of which ${logins.length} may log in`,
    ...section('logins', logins.map(told)),
    ...section('other roles', who.people.filter(({ login }) => !login).map(told)),
    ...section('only after SET ROLE', who.afterSetRole.map(told)),
    ...section('who can no longer', (change?.lost ?? []).map(personWords)),
    ...section('through views', through.filter(({ way }) => way.sure).flatMap(lines)),
    ...section('unknown', [
      ...through.filter(({ way }) => !way.sure).flatMap(lines),
      ...(more ? ['there are more views and functions than are looked at'] : []),
    ]),
    ...section('to know', remarks),
  ];
}

/** So many columns are named. */
const COLUMNS = 10;

/** Whoever has it on a column alone is not among those who have it on the whole: that there are such is said. */
export function onColumns({ kind, columns, owner }: Securable, privilege: string): readonly string[] {
  if (kind !== 'table') return [];
  const found = [...columns].filter(([, entries]) => entries.some((entry) => entry.privilege === privilege && entry.grantee !== owner)).map(([name]) => name);
  const names = `${found.slice(0, COLUMNS).map(saidAs).join(', ')}${found.length > COLUMNS ? ', …' : ''}`;
  return found.length === 0 ? [] : [`${privilege} is granted on single columns as well (${names}), which who-can says of a column`];
}

/** What a role may in one place: a database, or the server itself. */
export interface MightIn {
  /** Undefined: what is in no database. */
  readonly database: string | undefined;
  readonly lines: readonly Might[];
  /** Why nothing is known of it. */
  readonly unread?: string;
}

/** So many names are shown of objects that are not all of their kind. */
const NAMED = 5;

const plural = (word: string, count: number): string => (count === 1 ? word : word.endsWith('x') ? `${word}es` : `${word}s`);

/** Objects that somebody may the same with. @param count how many they are, where not all of their names are there. */
export function objectsWords({ kind, schema, names, all }: Pick<Might, 'kind' | 'schema' | 'names' | 'all'>, count = names.length): string {
  const where = schema === '' ? '' : ` of schema ${saidAs(schema)}`;
  const [only = ''] = names;
  if (count === 1) return `${kindWords(kind)} ${schema === '' ? '' : `${saidAs(schema)}.`}${saidObject(only)}`;
  if (all) return `all ${count} ${plural(kindWords(kind), count)}${where}`;
  const left = count - NAMED;
  return `${count} ${plural(kindWords(kind), count)}${where}: ${names.slice(0, NAMED).map(saidObject).join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
}

export function whatCanLines(role: string, places: readonly MightIn[], guises: readonly string[], isSuperuser: boolean): readonly string[] {
  return [
    isSuperuser ? `${saidGrantee(role)} is a superuser: it may everything` : `what ${saidGrantee(role)} may`,
    ...places.flatMap(({ database, lines, unread }) =>
      section(database === undefined ? 'on the server' : `in database ${saidAs(database)}`, [
        ...(unread === undefined ? [] : [`unknown: ${unread}`]),
        ...lines.map((line) => `${line.privileges.join(', ')} on ${objectsWords(line)} (${pathWords(line.path)})`),
      ]),
    ),
    ...section('it may become by SET ROLE, and then may what they may', guises.map(saidAs)),
  ];
}
