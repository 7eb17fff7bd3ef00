// explain's core against the server's own answer, for every role, object and privilege of random servers, and for every link of every path.
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain, may } from '../../src/explain/explain.ts';
import type { ObjectReference } from '../../src/explain/object-name.ts';
import type { Path } from '../../src/explain/paths.ts';
import { whatCan } from '../../src/explain/what-can.ts';
import { whoCan } from '../../src/explain/who-can.ts';
import type { Realm } from '../../src/explain/securable.ts';
import { privilegesOf } from '../../src/model/kinds.ts';
import { askServer, type FoundObject, readObject } from '../../src/postgres/read-securable.ts';
import { readGroups } from '../../src/postgres/read-groups.ts';
import { inRealm, readRealm } from '../../src/postgres/read-realm.ts';
import { SMALL } from '../../src/postgres/transaction.ts';
import { quietServerForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { dropServer, quoted, type RandomServer, randomServer, targetOf } from './random-access.ts';
import { type Answers, serverAnswers } from './server-answers.ts';
import { keyOf, linksOf, type TakenLink } from './taken-links.ts';

/** How many servers; `EXPLAIN_SERVERS=300` for a long run. */
const SERVERS = Number(process.env['EXPLAIN_SERVERS'] ?? 2);
const FIRST = Number(process.env['EXPLAIN_SEED'] ?? 1);
/** Of how many of them every link is taken away: each takes a few seconds. */
const TAKEN_APART = SERVERS < 10 ? 1 : SERVERS;

let postgres: Postgres;
let admin: pg.Client;
quietServerForAll((server, session) => {
  [postgres, admin] = [server, session];
});

const seeds = Array.from({ length: SERVERS }, (_, index) => FIRST + index);

/** Of all servers: what was compared, and what was taken away. */
const counted = { yes: 0, no: 0, afterSetRole: 0, memberships: 0, entries: 0, attributes: 0, ended: 0 };
afterAll(() => console.log(`${SERVERS} servers of PostgreSQL ${postgres.major}: ${JSON.stringify(counted)}`));

/** Everybody who is asked about. */
const everybodyOf = ({ roles }: RandomServer): readonly string[] => [...roles, 'public', 'postgres', 'pg_database_owner', 'pg_read_all_data'];

describe.each(seeds)('server %i', (seed) => {
  let server: RandomServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await randomServer(admin, (database) => postgres.client(database), seed, postgres.major);
    client = await postgres.client(server.database);
  });
  afterAll(async () => {
    await client.end();
    await dropServer(admin, server);
  });

  it('every answer is that of has_*_privilege, and what is to be had after SET ROLE is what the server gives then', async () => {
    const before = { ...counted };
    await inRealm(client, SMALL, async (realm) => {
      const everybody = everybodyOf(server);
      const { rows } = await client.query<{ role: string; other: string }>(
        `SELECT a.rolname AS role, b.rolname AS other FROM pg_roles a, pg_roles b WHERE a.rolname = ANY ($1) AND a <> b AND pg_has_role(a.oid, b.oid, $2)`,
        [everybody, realm.major >= 16 ? 'SET' : 'MEMBER'],
      );
      const becomes = Map.groupBy(rows, ({ role }) => role);
      const asked = [...new Set([...everybody, ...rows.map(({ other }) => other)])];
      for (const reference of server.objects) {
        const found = await readObject(client, server.database, reference, realm.major);
        const privileges = privilegesOf(found.object.kind, realm.major);
        const answers = await serverAnswers(client, found, asked, privileges, realm.major);
        expect(await askServer(client, found, 'public', privileges[0] ?? '', realm.major)).toBe(answers('public', privileges[0] ?? ''));
        for (const role of everybody)
          for (const privilege of privileges) {
            const says = answers(role, privilege);
            if (says === undefined) continue;
            const question = { realm, role, privilege, ...found, server: says };
            const where = { seed, role, privilege, object: found.object.name };
            const { answer, paths, afterSetRole, missing } = explain(question);
            expect({ ...where, may: may(question), answer, explained: paths.length > 0, missing: missing.length > 0 }).toEqual({
              ...where,
              may: says,
              answer: says ? 'yes' : 'no',
              explained: says,
              missing: !says,
            });
            counted[says ? 'yes' : 'no'] += 1;
            if (says) continue;
            const later = (becomes.get(role) ?? []).some(({ other }) => answers(other, privilege) === true);
            expect({ ...where, later: afterSetRole.length > 0 }).toEqual({ ...where, later });
            if (later) counted.afterSetRole += 1;
          }
      }
    });
    expect(Math.min(counted.yes - before.yes, counted.no - before.no)).toBeGreaterThan(0);
  });

  it('who-can names everybody to whom explain says yes, and what-can all that it says yes to', async () => {
    await inRealm(client, SMALL, async (realm) => {
      const groups = await readGroups(client);
      const held = new Map(server.roles.map((role) => [role, whatCan(realm, role, groups)]));
      let listed = 0;
      for (const reference of server.objects) {
        const found = await readObject(client, server.database, reference, realm.major);
        for (const privilege of privilegesOf(found.object.kind, realm.major)) {
          const { everybody, people, afterSetRole } = whoCan(realm, found.object, privilege, found.around);
          const where = { seed, privilege, object: found.object.name };
          for (const role of realm.roles.keys()) {
            const { answer, paths, afterSetRole: later } = explain({ realm, role, privilege, ...found });
            const named = people.find((one) => one.role === role);
            expect({ ...where, role, may: everybody || named !== undefined }).toEqual({ ...where, role, may: answer === 'yes' });
            if (named !== undefined) {
              expect(paths.map(keyOf)).toContain(keyOf(named.path));
              expect(named.path.chain.length).toBe(Math.min(...paths.filter(({ holder }) => holder.role !== 'public').map(({ chain }) => chain.length)));
            }
            if (answer === 'no')
              expect({ ...where, role, later: afterSetRole.some((one) => one.role === role) }).toEqual({ ...where, role, later: later.length > 0 });
            const lines = held.get(role);
            // Columns stand by themselves there, and what is the server's own is left out.
            const { schema = '', kind } = reference;
            if (lines === undefined || kind === 'column' || schema.startsWith('pg_') || ['database', 'tablespace', 'parameter'].includes(kind)) continue;
            const name = found.object.kind === 'function' ? found.object.name.replace(/^.*\.(f|p)\(/s, '$1(') : reference.name;
            const isListed = lines.some(
              (line) =>
                line.kind === found.object.kind &&
                line.schema === (kind === 'schema' ? '' : schema) &&
                line.names.includes(name) &&
                line.privileges.includes(privilege),
            );
            expect({ ...where, role, name, isListed }).toEqual({ ...where, role, name, isListed: answer === 'yes' });
            if (isListed) listed += 1;
          }
        }
      }
      expect(listed).toBeGreaterThan(0);
    });
  });

  it.runIf(seed < FIRST + TAKEN_APART)('a path stops working when any of its links is taken away, and the others go on', async () => {
    await client.query(`SET allow_system_table_mods = on; BEGIN`);
    // Whoever takes its own grant back has to find the object.
    for (const schema of new Set(server.objects.flatMap((one) => one.schema ?? []))) await client.query(`GRANT USAGE ON SCHEMA ${quoted(schema)} TO PUBLIC`);
    const objects = await objectsOf(client, server);
    const before = await pathsNow(client, server, objects);
    const links = new Map(before.flatMap(({ links: of }) => [...of.values()].flat()).map((link) => [`${link.kind} ${link.key}`, link]));
    expect(links.size).toBeGreaterThan(20);
    for (const link of links.values()) {
      await client.query(`SAVEPOINT before; ${link.sql}`);
      // An entry changes its own object alone, and a membership none.
      const about = objects.filter(({ reference }) => link.target === undefined || link.target === targetOf(reference));
      const now = link.kind === 'memberships' ? about : await objectsOf(client, server, new Set(about.map(({ reference }) => reference)));
      const after = new Map((await pathsNow(client, server, now)).map((one) => [one.which, one]));
      await client.query('ROLLBACK TO SAVEPOINT before');
      counted[link.kind] += 1;
      for (const one of before) if (after.has(one.which)) counted.ended += compare(seed, link, one, after.get(one.which));
    }
    await client.query('ROLLBACK');
  });
});

/** All paths of a role to a privilege on an object, each with its links. */
interface Found {
  readonly which: string;
  readonly isDatabase: boolean;
  readonly links: ReadonlyMap<string, readonly TakenLink[]>;
}

/** What became of the paths of one when a link was taken away. @returns how many ended. */
function compare(seed: number, link: TakenLink, before: Found, after: Found | undefined): number {
  const hangs = (links: readonly TakenLink[]): boolean => links.some(({ kind, key }) => kind === link.kind && key === link.key);
  const others = [...before.links].filter(([, links]) => !hangs(links)).map(([path]) => path);
  const left = [...(after?.links.keys() ?? [])];
  const where = { seed, which: before.which, link: link.sql };
  // Another owner has other privileges on the database by itself.
  const isOfOwner = before.isDatabase && link.key === 'pg_database_owner';
  if (!isOfOwner) expect({ ...where, more: left.filter((path) => !others.includes(path)) }).toEqual({ ...where, more: [] });
  // A grant that went may have taken those with it that were made by it.
  if (link.kind !== 'entries' && !isOfOwner) expect({ ...where, fewer: others.filter((path) => !left.includes(path)) }).toEqual({ ...where, fewer: [] });
  return before.links.size - others.length;
}

interface FoundReference {
  readonly reference: ObjectReference;
  readonly found: FoundObject;
}

/** The objects as the transaction sees them. */
async function objectsOf(client: pg.Client, { database, objects }: RandomServer, only = new Set(objects)): Promise<readonly FoundReference[]> {
  const all: FoundReference[] = [];
  for (const reference of only) all.push({ reference, found: await readObject(client, database, reference, postgres.major) });
  return all;
}

/** The paths of everybody to these objects, as the transaction sees them that a change was made in; whether there are any is what the server says. */
async function pathsNow(client: pg.Client, { roles }: RandomServer, objects: readonly FoundReference[]): Promise<readonly Found[]> {
  const realm = await realmWithin(client, postgres.major);
  const all: Found[] = [];
  for (const { reference, found } of objects) {
    const privileges = privilegesOf(found.object.kind, realm.major);
    const answers = await serverAnswers(client, found, roles, privileges, realm.major);
    for (const role of roles) for (const privilege of privileges) all.push(pathsOf(realm, { found, reference, role, privilege }, answers));
  }
  return all;
}

interface Asked extends FoundReference {
  readonly role: string;
  readonly privilege: string;
}

function pathsOf(realm: Realm, { found, reference, role, privilege }: Asked, answers: Answers): Found {
  const says = answers(role, privilege);
  const { answer, paths, afterSetRole } = explain({ realm, role, privilege, ...found, server: says });
  const which = JSON.stringify([found.object.kind, found.object.name, role, privilege]);
  if (says !== undefined && answer !== (says ? 'yes' : 'no')) throw new Error(`${which}: explain says ${answer}, and the server ${says}`);
  // To a superuser only the nearest way is said, which may be another one afterwards.
  const shown: readonly Path[] = [...paths, ...afterSetRole.filter(({ holder }) => holder.by !== 'superuser')];
  return {
    which,
    isDatabase: reference.kind === 'database',
    links: new Map(shown.map((path) => [keyOf(path), linksOf(path, found, reference, privilege)])),
  };
}

/** The realm as the transaction sees it that a change was made in. */
async function realmWithin(client: pg.Client, major: number): Promise<Realm> {
  const [owner] = (await client.query<{ owner: string }>('SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = current_database()')).rows;
  return readRealm(client, { major, databaseOwner: owner?.owner ?? '', now: Date.now() });
}
