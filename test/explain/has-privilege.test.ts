// explain's core against the server's own answer, for every role, object and privilege of random servers, and for every link of every path.
import type pg from 'pg';
import { expect, it } from 'vitest';
import { explain, may } from '../../src/explain/explain.ts';
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

/** How many servers; `EXPLAIN_SERVERS=300` for a long run. */
const SERVERS = Number(process.env['EXPLAIN_SERVERS'] ?? 3);
const FIRST = Number(process.env['EXPLAIN_SEED'] ?? 1);

let postgres: Postgres;
let admin: pg.Client;
quietServerForAll((server, session) => {
  [postgres, admin] = [server, session];
});

const seeds = Array.from({ length: SERVERS }, (_, index) => FIRST + index);

/** Runs `work` in a random server's database, which goes again. */
async function withServer(seed: number, work: (server: RandomServer, client: pg.Client) => Promise<void>): Promise<void> {
  const server = await randomServer(admin, (database) => postgres.client(database), seed, postgres.major);
  const client = await postgres.client(server.database);
  try {
    await work(server, client);
  } finally {
    await client.end();
    await dropServer(admin, server);
  }
}

/** What the server says of every role, object and privilege. */
type Asked = (found: FoundObject, role: string, privilege: string) => Promise<boolean | undefined>;

it.each(seeds)('every answer is that of has_*_privilege, and what is to be had after SET ROLE is what the server gives then: server %i', async (seed) => {
  await withServer(seed, async (server, client) => {
    const counted = { yes: 0, no: 0, afterSetRole: 0 };
    await inRealm(client, SMALL, async (realm) => {
      const answers = new Map<string, boolean | undefined>();
      const asked: Asked = async (found, role, privilege) => {
        const key = JSON.stringify([found.object.kind, found.object.name, role, privilege]);
        if (!answers.has(key)) answers.set(key, await askServer(client, found, role, privilege, realm.major));
        return answers.get(key);
      };
      const everybody = [...server.roles, 'public', 'postgres', 'pg_database_owner', 'pg_read_all_data'];
      const { rows } = await client.query<{ role: string; other: string }>(
        `SELECT a.rolname AS role, b.rolname AS other FROM pg_roles a, pg_roles b WHERE a.rolname = ANY ($1) AND a <> b AND pg_has_role(a.oid, b.oid, $2)`,
        [everybody, realm.major >= 16 ? 'SET' : 'MEMBER'],
      );
      const becomes = Map.groupBy(rows, ({ role }) => role);
      for (const reference of server.objects) {
        const found = await readObject(client, server.database, reference, realm.major);
        for (const role of everybody)
          for (const privilege of privilegesOf(found.object.kind, realm.major)) {
            const says = await asked(found, role, privilege);
            if (says === undefined) continue;
            const question = { realm, role, privilege, ...found, server: says };
            const where = { seed, role, privilege, object: found.object.name };
            expect({ ...where, may: may(question) }).toEqual({ ...where, may: says });
            const { answer, paths, afterSetRole, missing } = explain(question);
            expect({ ...where, answer, explained: paths.length > 0, missing: missing.length > 0 }).toEqual({
              ...where,
              answer: says ? 'yes' : 'no',
              explained: says,
              missing: !says,
            });
            counted[answer === 'yes' ? 'yes' : 'no'] += 1;
            if (says) continue;
            let later = false;
            for (const { other } of becomes.get(role) ?? []) later ||= (await asked(found, other, privilege)) === true;
            expect({ ...where, later: afterSetRole.length > 0 }).toEqual({ ...where, later });
            if (later) counted.afterSetRole += 1;
          }
      }
    });
    console.log(`server ${seed}: ${JSON.stringify(counted)}`);
    expect(Math.min(counted.yes, counted.no)).toBeGreaterThan(0);
  });
});

it.each(seeds)('who-can names everybody to whom explain says yes, and what-can all that it says yes to: server %i', async (seed) => {
  await withServer(seed, async (server, client) => {
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
});

/** A path by what it needs. */
const keyOf = ({ holder, chain, setRole }: Path): string =>
  JSON.stringify([chain, setRole, holder.by, holder.role, ...(holder.by === 'grant' ? [holder.grantor, holder.column] : [])]);

/** What a path hangs on, each with what takes it away. */
function linksOf(
  path: Path,
  { object }: FoundObject,
  reference: RandomServer['objects'][number],
  privilege: string,
): readonly (readonly [key: string, sql: string])[] {
  const { chain, holder } = path;
  const memberships = chain.slice(1).map((role, index): [string, string] => {
    const member = chain[index] ?? '';
    // No row makes the owner of a database a member of it.
    if (role === 'pg_database_owner') return [JSON.stringify(['attributes', role]), `UPDATE pg_database SET datdba = 10 WHERE datname = current_database()`];
    return [
      JSON.stringify(['memberships', member, role]),
      `DELETE FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = '${member.replaceAll("'", "''")}') AND roleid = (SELECT oid FROM pg_roles WHERE rolname = '${role.replaceAll("'", "''")}')`,
    ];
  });
  if (holder.by === 'superuser') return [...memberships, [JSON.stringify(['attributes', holder.role]), `ALTER ROLE ${quoted(holder.role)} NOSUPERUSER`]];
  if (holder.by === 'predefined') return memberships;
  const what = holder.column === undefined ? privilege : `${privilege} (${quoted(holder.column)})`;
  return [
    ...memberships,
    [
      JSON.stringify(['entries', holder.role, holder.grantor, holder.column]),
      `SET LOCAL ROLE ${quoted(holder.grantor === '' ? object.owner : holder.grantor)}; REVOKE ${what} ON ${targetOf(reference)} FROM ${holder.role === 'public' ? 'PUBLIC' : quoted(holder.role)} CASCADE; RESET ROLE`,
    ],
  ];
}

it.each(seeds.slice(0, Math.ceil(SERVERS / 3)))('a path stops working when any of its links is taken away, and the others go on: server %i', async (seed) => {
  await withServer(seed, async (server, client) => {
    await client.query(`SET allow_system_table_mods = on`);
    const taken = { memberships: 0, entries: 0, attributes: 0 };
    for (const reference of server.objects.filter(({ name }) => name === 'T.1'))
      for (const role of server.roles)
        for (const privilege of privilegesOf(reference.kind, postgres.major)) {
          // Whoever takes its own grant back has to find the table.
          await client.query(`BEGIN; GRANT USAGE ON SCHEMA ${quoted(reference.schema ?? '')} TO PUBLIC`);
          const found = await readObject(client, server.database, reference, postgres.major);
          const look = () => pathsNow(client, server, reference, role, privilege);
          const before = await look();
          const links = new Map(before.flatMap((path) => linksOf(path, found, reference, privilege)));
          for (const [key, sql] of links) {
            await client.query(`SAVEPOINT before; ${sql}`);
            const after = new Set((await look()).map(keyOf));
            await client.query('ROLLBACK TO SAVEPOINT before');
            const others = before.filter((path) => !linksOf(path, found, reference, privilege).some(([own]) => own === key)).map(keyOf);
            // A grant that went may have taken those with it that were made by it.
            const [kind] = JSON.parse(key) as [keyof typeof taken];
            expect([...after].filter((path) => !others.includes(path))).toEqual([]);
            if (kind !== 'entries') expect(others.filter((path) => !after.has(path))).toEqual([]);
            taken[kind] += 1;
          }
          await client.query('ROLLBACK');
        }
    console.log(`server ${seed}: taken away ${JSON.stringify(taken)}`);
    expect(Math.min(taken.memberships, taken.entries)).toBeGreaterThan(0);
  });
});

/** The paths as the transaction sees them that a change was made in; whether there are any is what the server says. */
async function pathsNow(
  client: pg.Client,
  server: RandomServer,
  reference: RandomServer['objects'][number],
  role: string,
  privilege: string,
): Promise<readonly Path[]> {
  const realm = await realmWithin(client, postgres.major);
  const found = await readObject(client, server.database, reference, realm.major);
  const says = await askServer(client, found, role, privilege, realm.major);
  const { answer, paths, afterSetRole } = explain({ realm, role, privilege, ...found, server: says });
  expect(answer).toBe(says ? 'yes' : 'no');
  // To a superuser only the nearest way is said, which may be another one afterwards.
  return [...paths, ...afterSetRole.filter(({ holder }) => holder.by !== 'superuser')];
}

/** The realm as the transaction sees it that a change was made in. */
async function realmWithin(client: pg.Client, major: number): Promise<Realm> {
  const [owner] = (await client.query<{ owner: string }>('SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = current_database()')).rows;
  return readRealm(client, { major, databaseOwner: owner?.owner ?? '', now: Date.now() });
}
