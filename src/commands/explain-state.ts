// explain, who-can and what-can, asked of a state: as a snapshot has it, or as a plan would leave it.
import { accessDifference, type AccessLine } from '../access/difference.ts';
import { definersIn, findObject, type FoundInState, securableGroups } from '../access/find.ts';
import { type AccessState, realmIn } from '../access/state.ts';
import { explanationData, whatCanData, whoCanData } from '../explain/as-data.ts';
import { type Definers, secondWays, throughOf } from '../explain/definers.ts';
import { explain, type Explanation, may } from '../explain/explain.ts';
import { DATABASE_OWNER, guisesOf } from '../explain/links.ts';
import { ObjectNameError, type ObjectReference } from '../explain/object-name.ts';
import { originData, originDataOfMany, originLines, originLinesOfMany, stepsOf, stepsOfMany } from '../explain/origins.ts';
import { explanationLines, pathWords, section } from '../explain/say.ts';
import { saidAs } from '../explain/said-name.ts';
import { type MightIn, objectsWords, onColumns, whatCanLines, whoCanLines } from '../explain/say-who.ts';
import type { Realm } from '../explain/securable.ts';
import { type Might, whatCan } from '../explain/what-can.ts';
import { pathsIn, whoCan, type WhoCan } from '../explain/who-can.ts';
import { PUBLIC } from '../model/contents.ts';
import { type Answer, checkPrivilege, checkRole } from './access.ts';
import { type AccessStates, refuseUnread } from './access-state.ts';
import type { OriginsIn } from './origins.ts';
import { shownLine } from './plan-access.ts';
import { UsageError } from './verb.ts';

/** An object in a state, with the roles as its database sees them. */
interface Asked extends FoundInState {
  readonly realm: Realm;
  readonly definers: Definers | undefined;
}

const databaseOf = (states: AccessStates, asked: ObjectReference): string => asked.database ?? states.adminDatabase;

/** @throws ObjectNameError where there is none. */
function ask(state: AccessState, database: string, asked: ObjectReference): Asked {
  const found = findObject(state, database, asked);
  const definers = found.relation === undefined ? undefined : definersIn(state, database, found.relation);
  return { ...found, realm: realmIn(state, database), definers };
}

/** The same before a plan, where it is there. */
function askBefore({ before }: AccessStates, database: string, asked: ObjectReference): Asked | undefined {
  try {
    return before === undefined ? undefined : ask(before, database, asked);
  } catch (error) {
    if (error instanceof ObjectNameError) return undefined;
    throw error;
  }
}

/** Whether a role has a privilege. @throws ObjectNameError, UsageError */
export async function explainIn(states: AccessStates, role: string, privilege: string, asked: ObjectReference, origins: OriginsIn): Promise<Answer> {
  const database = databaseOf(states, asked);
  refuseUnread(states, database);
  const found = ask(states.now, database, asked);
  checkRole(found.realm, role);
  checkPrivilege(privilege, found.object.kind, found.realm.major);
  const explanation: Explanation = explain({ role, privilege, ...found });
  const before = states.before === undefined ? undefined : answerBefore(askBefore(states, database, asked), role, privilege);
  const from = await origins(stepsOf(explanation), found.rules);
  return {
    code: explanation.answer === 'yes' ? 0 : 2,
    lines: [
      ...explanationLines(explanation),
      ...originLines(from, explanation.object.name),
      ...section('before the plan', before === undefined ? [] : [before]),
    ],
    data: { ...explanationData(explanation), origins: originData(from), ...(before === undefined ? {} : { before }) },
  };
}

const answerBefore = (found: Asked | undefined, role: string, privilege: string): 'yes' | 'no' =>
  found !== undefined && (role === PUBLIC || found.realm.roles.has(role)) && may({ role, privilege, ...found }) ? 'yes' : 'no';

/** Everybody who has a privilege. @throws ObjectNameError, UsageError */
export async function whoCanIn(states: AccessStates, privilege: string, asked: ObjectReference, follows: boolean, origins: OriginsIn): Promise<Answer> {
  const database = databaseOf(states, asked);
  refuseUnread(states, database);
  const { realm, object, around, definers, rules } = ask(states.now, database, asked);
  checkPrivilege(privilege, object.kind, realm.major);
  const who = whoCan(realm, object, privilege, around);
  const followed = follows ? definers : undefined;
  const ways = followed === undefined ? [] : secondWays(realm, object, privilege, followed).map((way) => throughOf(realm, way, who));
  const earlier = askBefore(states, database, asked);
  const was = earlier === undefined ? undefined : whoCan(earlier.realm, earlier.object, privilege, earlier.around);
  const told = {
    privilege,
    object,
    database,
    who,
    ways,
    more: followed?.more === true,
    remarks: [
      ...around.remarks,
      ...onColumns(object, privilege),
      ...(states.before === undefined ? [] : everybodyWords(was?.everybody === true, who.everybody)),
    ],
    ...(states.before === undefined ? {} : { change: changeOf(was, who) }),
  };
  const isUnsure = told.more || ways.some(({ way, people, everybody }) => !way.sure && (everybody || people.length > 0));
  const { steps, more } = stepsOfMany(pathsIn(who), privilege);
  const from = await origins(steps, rules);
  return {
    code: isUnsure ? 2 : 0,
    lines: [...whoCanLines(told), ...originLinesOfMany(from, object.name, more)],
    data: { ...whoCanData(told), origins: originDataOfMany(from, more) },
  };
}

const everybodyWords = (was: boolean, is: boolean): readonly string[] => {
  if (was === is) return [];
  return [is ? 'everybody has it only by the plan, as PUBLIC gets it' : 'before the plan everybody had it, as PUBLIC had it'];
};

/** Who is new, and who is missing; nobody has gained what everybody had, or lost what everybody has. */
function changeOf(was: WhoCan | undefined, is: WhoCan) {
  const before = new Map([...(was?.people ?? []), ...(was?.afterSetRole ?? [])].map((person) => [person.role, person]));
  const after = new Set([...is.people, ...is.afterSetRole].map(({ role }) => role));
  return {
    fresh: new Set([...after].filter((role) => was?.everybody !== true && !before.has(role))),
    lost: is.everybody ? [] : [...before.values()].filter(({ role }) => !after.has(role)),
  };
}

/** Everything that a role may. @param only a database; undefined for all. @throws UsageError */
export function whatCanIn(states: AccessStates, role: string, only: string | undefined): Answer {
  const { now, unread, asRead, changes } = states;
  const server = realmIn(now, states.adminDatabase);
  checkRole(server, role);
  if (only !== undefined) {
    refuseUnread(states, only);
    if (!now.databases.has(only)) throw new UsageError(`there is no database ${only}; capital letters need double quotes`);
  }
  const isSuperuser = server.roles.get(role)?.superuser === true;
  const inside = (name: string): readonly Might[] => whatCan(realmIn(now, name), role, securableGroups(now.databases.get(name)?.groups ?? []));
  const names = [...new Set([...now.databases.keys(), ...unread.keys()])].filter((name) => only === undefined || name === only).toSorted();
  const places: readonly MightIn[] = isSuperuser
    ? []
    : [
        { database: undefined, lines: whatCan(server, role, securableGroups(now.shared)) },
        ...names.map((database) => {
          const reason = now.databases.has(database) ? undefined : unread.get(database);
          return { database, lines: inside(database), ...(reason === undefined ? {} : { unread: reason }) };
        }),
      ];
  // The owner of each database becomes another one by it.
  const guises = isSuperuser ? [] : [...guisesOf(server, role).keys()].filter((other) => other !== role && other !== DATABASE_OWNER);
  const change = states.before === undefined ? undefined : accessDifference(asRead, changes, role);
  const isHere = ({ database }: AccessLine): boolean => only === undefined || database === undefined || database === only;
  const [gained, lost] = [(change?.gained ?? []).filter(isHere), (change?.lost ?? []).filter(isHere)];
  return {
    code: places.some((place) => place.unread !== undefined) ? 2 : 0,
    lines: [
      ...whatCanLines(role, places, guises, isSuperuser),
      ...section('gained by the plan', gained.map(lineWords)),
      ...section('lost by the plan', lost.map(lineWords)),
    ],
    data: { ...whatCanData(role, places, guises, isSuperuser), ...(change === undefined ? {} : { gained: gained.map(shownLine), lost: lost.map(shownLine) }) },
  };
}

const lineWords = ({ privileges, path, database, ...objects }: AccessLine): string =>
  `${privileges.join(', ')} on ${objectsWords(objects)}${database === undefined ? '' : ` in database ${saidAs(database)}`} (${pathWords(path)})`;
