// what-can: everything that a role may, database by database.
import type pg from 'pg';
import { whatCanData } from '../explain/as-data.ts';
import { DATABASE_OWNER, guisesOf } from '../explain/links.ts';
import { type MightIn, whatCanLines } from '../explain/say-who.ts';
import type { Realm } from '../explain/securable.ts';
import { whatCan as mights } from '../explain/what-can.ts';
import { readGroups, readSharedGroups } from '../postgres/read-groups.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { answer, type Ask, checkRole, readRole } from './access.ts';
import { answerFromState } from './access-state.ts';
import { whatCanIn } from './explain-state.ts';
import { type Given, type Program, UsageError } from './verb.ts';

/** Says it. @returns 0; 2 where a database could not be read. @throws UsageError */
export async function whatCan(given: Given, self: Program): Promise<number> {
  const [roleText, ...more] = given.operands;
  if (roleText === undefined || more.length > 0) throw new UsageError('what-can needs one role, as in: pgsteward what-can alice --in shop');
  const role = readRole(roleText);
  const only = given.options.get('in');
  const wish = { isWanted: (name: string) => typeof only !== 'string' || name === only, columns: false };
  const fromState = await answerFromState(given, self, wish, async (states) => whatCanIn(states, role, typeof only === 'string' ? only : undefined));
  if (fromState !== undefined) return fromState;
  return answer(given, self, async (ask) => {
    const { databases, shared, guises, isSuperuser } = await ask({ kind: 'tablespace', database: undefined }, (client, realm) => onServer(client, realm, role));
    // Of one who may everything there is nothing to list.
    const asked = isSuperuser ? [] : typeof only === 'string' ? [only] : databases;
    const places: readonly MightIn[] = isSuperuser ? [] : [shared, ...(await inEach(ask, asked, role, typeof only === 'string'))];
    return {
      code: places.some(({ unread }) => unread !== undefined) ? 2 : 0,
      lines: whatCanLines(role, places, guises, isSuperuser),
      data: whatCanData(role, places, guises, isSuperuser),
    };
  });
}

async function onServer(client: pg.Client, realm: Realm, role: string) {
  checkRole(realm, role);
  const isSuperuser = realm.roles.get(role)?.superuser === true;
  const { rows } = await client.query<{ name: string }>('SELECT datname::text AS name FROM pg_catalog.pg_database WHERE datallowconn ORDER BY 1');
  return {
    databases: rows.map(({ name }) => name),
    shared: { database: undefined, lines: mights(realm, role, await readSharedGroups(client, realm.major)) },
    // The owner of each database becomes another one by it; and of one who may everything nothing has to be said.
    guises: isSuperuser ? [] : [...guisesOf(realm, role).keys()].filter((other) => other !== role && other !== DATABASE_OWNER),
    isSuperuser,
  };
}

/** One after the other: of none is more in memory than has to be. */
async function inEach(ask: Ask, databases: readonly string[], role: string, mustBeRead: boolean): Promise<readonly MightIn[]> {
  const places: MightIn[] = [];
  for (const database of databases)
    try {
      places.push({ database, lines: await ask({ kind: 'schema', database }, async (client, realm) => mights(realm, role, await readGroups(client))) });
    } catch (error) {
      if (mustBeRead) throw error;
      places.push({ database, lines: [], unread: whyNot(error).message });
    }
  return places;
}
