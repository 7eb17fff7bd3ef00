// An answer about access as text for people. Every line is put on one line where it is printed.
import { PUBLIC } from '../model/contents.ts';
import { kindWords } from '../model/kinds.ts';
import type { SecondWay } from './definers.ts';
import type { Explanation } from './explain.ts';
import type { Holder } from './holders.ts';
import type { Need } from './needs.ts';
import type { Path } from './paths.ts';
import { saidAs, saidGrantee } from './said-name.ts';
import type { Securable } from './securable.ts';

/** As an OBJECT of the command line names it. */
export function objectWords({ kind, name }: Securable, database: string): string {
  const inDatabase = kind === 'large_object' ? `${saidAs(database)} ${name}` : `${saidAs(database)}.${name}`;
  if (kind === 'table') return inDatabase;
  const inNone = kind === 'database' || kind === 'tablespace' || kind === 'parameter';
  return `${kindWords(kind)} ${inNone ? name : inDatabase}`;
}

/** A chain and what is held at its end, as «alice → reader, granted by owner». */
export function pathWords({ holder, chain, setRole }: Path): string {
  const way = chain.length === 1 ? '' : chain.map((role) => (role === setRole ? `SET ROLE ${saidAs(role)}` : saidAs(role))).join(' → ');
  return [...(way === '' ? [] : [way]), holderWords(holder, chain.length > 1)].join(': ');
}

function holderWords(holder: Holder, isOther: boolean): string {
  const role = saidGrantee(holder.role);
  if (holder.by === 'superuser') return isOther ? `${role} is a superuser` : 'it is a superuser';
  if (holder.by === 'predefined') return `members of ${role} need no grant for it`;
  const named = isOther || holder.role === PUBLIC ? role : 'itself';
  const who = holder.owner ? `${isOther ? role : 'it'} is the owner` : `${holder.builtIn ? 'built in for' : 'granted to'} ${named}`;
  return [
    who,
    ...(holder.builtIn || holder.owner ? [] : [`by ${holder.grantor === '' ? 'this plan' : saidAs(holder.grantor)}`]),
    ...(holder.grantable ? ['with the grant option'] : []),
    ...(holder.column === undefined ? [] : [`on the column ${saidAs(holder.column)} alone`]),
  ].join(holder.builtIn || holder.owner ? ', ' : ' ');
}

const MARKS: Readonly<Record<Need['state'], string>> = { met: 'ok', limits: 'but', unmet: 'no' };
const needWords = ({ state, said }: Need): string => `${MARKS[state].padEnd(3)} ${said}`;

/** Lines of one section; none where it is empty. */
export const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];

/** The first line says the answer. */
function answerWords({ answer, role, privilege, object, database, afterSetRole, onColumns, needs }: Explanation): string {
  const what = `${privilege} on ${objectWords(object, database)}`;
  const who = saidGrantee(role);
  if (answer === 'unknown') return `unknown: whether ${who} has ${what}`;
  if (answer === 'yes') return `yes: ${who} has ${what}${needs.some(({ state }) => state === 'unmet') ? ', but cannot use it as things are' : ''}`;
  const columns = onColumns.length === 0 ? '' : ', only on some of its columns';
  return `no: ${who} does not have ${what}${columns}${afterSetRole.length === 0 ? '' : `; only after SET ROLE ${saidAs(afterSetRole[0]?.setRole ?? '')}`}`;
}

/** So many other ways are said one by one. */
const MOST_WAYS = 20;

/** Another way, as «view hr.v: reads it, or a part of it, as its owner boss». */
export const wayWords = ({ through, said }: SecondWay): string => `${through.kind === 'function' ? 'function' : 'view'} ${through.name}: ${said}`;

/** All of it, a line each. */
export function explanationLines(explanation: Explanation): readonly string[] {
  const { paths, afterSetRole, onColumns, needs, missing, otherWays, remarks, more } = explanation;
  return [
    answerWords(explanation),
    ...section('by', paths.map(pathWords)),
    ...section('missing', missing),
    ...section('on columns', onColumns.map(pathWords)),
    ...section(
      'only after SET ROLE',
      afterSetRole.map((path) => [pathWords(path), ...path.needs.filter(({ state }) => state === 'unmet').map(({ said }) => said)].join('; ')),
    ),
    ...section('other ways', [
      ...otherWays.slice(0, MOST_WAYS).map(wayWords),
      ...(otherWays.length > MOST_WAYS ? [`${otherWays.length - MOST_WAYS} more`] : []),
    ]),
    ...section('needed besides', needs.map(needWords)),
    ...section('to know', [...remarks, ...(more ? ['there are more paths than are shown'] : [])]),
  ];
}
