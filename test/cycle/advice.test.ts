// SQL of notices: each kind is brought up on a real server, pasted into psql as it is printed by whom it names, and has done what it says.
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ADVICE_KINDS, type Advice, type AdviceKind, adviceFor } from '../../src/changes/advice.ts';
import { identifier, literal } from '../../src/sql/sql-text.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { paste } from '../support/psql.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const MAJOR = Number(process.env['PG_MAJOR'] ?? 18);
/** What psql, a terminal or a quoted name could take for something else. */
const ODD = `"; :x :'x' :"x" \\q \\\\ 'y' $$`;
/** A key that leaves what was begun, one that goes to the line's beginning, and a command after a new line. */
const KEYS = '\u0003\u0015\u001F\t\n\\! touch /tmp/pasted\n';
const [ADM, HOME, ALICE, CLUB, OWNER, OUTSIDER, BOSS, TABLE] = [
  `adm ${ODD}`,
  `home ${ODD}`,
  `alice${KEYS}`,
  `club ${ODD}`,
  `owner${KEYS}${ODD}`,
  `outsider ${ODD}`,
  `boss${KEYS}`,
  `orders${KEYS}${ODD}`,
];
const [adm, home, alice, club, owner, outsider, boss, table] = [ADM, HOME, ALICE, CLUB, OWNER, OUTSIDER, BOSS, TABLE].map(identifier);
const orders = `s.${table}`;

interface Scenario {
  /** From which major on it can come up. */
  readonly since?: number;
  /** Attributes of our admin. */
  readonly admin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In the database `postgres`, before anything else, and then in the one that is managed. */
  readonly before?: readonly string[];
  readonly setup?: string;
  /** What was in force until now, and what is done by hand then. */
  readonly first?: object;
  readonly byHand?: string;
  readonly document: object;
  /** Where nothing on an ordinary server keeps our admin from it: the change is planned, and its SQL is taken. */
  readonly from?: 'plan' | 'failure';
  /** Whose SQL has to be run before. */
  readonly with?: readonly AdviceKind[];
  /** What the SQL prints, or what holds afterwards, beside that it is no longer asked for. */
  readonly prints?: RegExp;
  readonly holds?: string;
  /** It is done again when it is remembered. */
  readonly again?: boolean;
}

const user = (more: object = {}): object => ({ username: ALICE, login: false, ...more });
const users = (...some: readonly object[]): object => ({ users: [{ username: 'keeper', login: false }, ...some] });
const reads = { database: HOME, schemas: ['s'], tables: { '*': ['SELECT'] } };
const theirTable = (whose: string): string =>
  `CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO ${adm} WITH GRANT OPTION; CREATE TABLE ${orders} (id int); ALTER TABLE ${orders} OWNER TO ${whose}`;
const ourTable = `CREATE SCHEMA s AUTHORIZATION ${adm}; SET ROLE ${adm}; CREATE TABLE ${orders} (id int)`;
const removed = { first: users(user({ roles: [CLUB] })), document: users(), from: 'plan' } as const;

const SCENARIOS: Readonly<Record<AdviceKind, Scenario | readonly Scenario[]>> = {
  createrole: { admin: 'LOGIN', document: users(user()) },
  administer: { since: 16, before: [`CREATE ROLE ${club}`], document: users(user({ roles: [CLUB] })) },
  act_as: {
    before: [`CREATE ROLE ${owner}`, ...(MAJOR < 16 ? [] : [`GRANT ${owner} TO ${adm} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`])],
    setup: theirTable(owner ?? ''),
    first: users(user()),
    document: users(user({ grants: [reads] })),
    ...(MAJOR < 16
      ? {}
      : {
          holds: `SELECT bool_and(admin_option AND set_option AND NOT inherit_option) AS yes FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE r.rolname = ${literal(OWNER)}`,
        }),
  },
  allow_connections: {
    before: [`CREATE DATABASE "closed "" :x"`, `ALTER DATABASE "closed "" :x" ALLOW_CONNECTIONS false`],
    first: users(user()),
    document: users(user({ grants: [{ ...reads, database: 'closed " :x' }] })),
  },
  revoke_dependents: {
    before: [`CREATE ROLE ${outsider}`, 'CREATE ROLE further'],
    setup: ourTable,
    first: users(user({ grants: [reads] })),
    byHand: `GRANT SELECT ON ${orders} TO ${alice} WITH GRANT OPTION; SET ROLE ${alice}; GRANT SELECT ON ${orders} TO ${outsider} WITH GRANT OPTION; RESET ROLE;
      GRANT USAGE ON SCHEMA s TO ${outsider}; SET ROLE ${outsider}; GRANT SELECT ON ${orders} TO further`,
    document: users(user({ grants: [{ ...reads, tables: { '*': [] } }] })),
  },
  revoke_demoted: {
    before: [`CREATE ROLE ${boss}`],
    setup: `${ourTable}; RESET ROLE; GRANT USAGE ON SCHEMA s TO ${boss}; GRANT DELETE ON ${orders} TO ${boss} WITH GRANT OPTION`,
    first: users(user({ grants: [reads] })),
    byHand: `SET ROLE ${boss}; GRANT DELETE ON ${orders} TO ${alice}; RESET ROLE; ALTER ROLE ${boss} SUPERUSER`,
    document: users(user({ grants: [reads] })),
    holds: `SELECT rolsuper AS yes FROM pg_roles WHERE rolname = ${literal(BOSS)}`,
  },
  keep_privileges: {
    before: [`CREATE ROLE ${outsider}`],
    setup: `${ourTable}; CREATE TABLE s.other (id int)`,
    first: users(user()),
    byHand: `GRANT USAGE ON SCHEMA s TO ${alice}; GRANT SELECT ON ${orders}, s.other TO ${alice} WITH GRANT OPTION; SET ROLE ${alice}; GRANT SELECT ON ${orders}, s.other TO ${outsider}`,
    document: users(),
  },
  keep_memberships: {
    since: 16,
    before: [`CREATE ROLE ${club}`, `CREATE ROLE ${outsider}`],
    first: users(user()),
    byHand: `GRANT ${club} TO ${alice} WITH ADMIN OPTION; SET ROLE ${alice}; GRANT ${club} TO ${outsider}`,
    document: users(),
  },
  list_owned: {
    setup: `CREATE SCHEMA s`,
    first: users(user()),
    byHand: `CREATE TABLE ${orders} (id int); ALTER TABLE ${orders} OWNER TO ${alice}`,
    document: users(),
    from: 'failure',
    prints: /^table s\./,
  },
  rename_role: {
    first: users(user()),
    document: users({ username: `new ${ODD}${KEYS}`, login: false, renamedFrom: ALICE }),
    from: 'plan',
    holds: `SELECT count(*) = 1 AS yes FROM pg_roles WHERE rolname = ${literal(`new ${ODD}${KEYS}`)}`,
  },
  alter_role: { first: users(user()), document: users(user({ connectionLimit: 3 })), from: 'plan' },
  set_comment: { first: users(user()), document: users(user({ comment: `${ODD}${KEYS}` })), from: 'plan' },
  set_setting: {
    env: { ALLOWED_SETTINGS: 'log_statement' },
    first: users(user()),
    document: users(user({ databaseSettings: { [HOME]: { log_statement: 'all' } } })),
    from: 'failure',
  },
  reset_setting: { first: users(user({ settings: { work_mem: '8MB' } })), document: users(user({ settings: {} })), from: 'plan' },
  grant_membership: {
    first: users(user({ roles: [] }), { username: 'bob', login: false, roles: [CLUB] }),
    document: users(user({ roles: [CLUB] }), { username: 'bob', login: false, roles: [CLUB] }),
    from: 'plan',
  },
  revoke_membership: {
    first: users(user({ roles: [] }), { username: 'bob', login: false, roles: [CLUB] }),
    byHand: `GRANT ${club} TO ${alice}`,
    document: users(user({ roles: [] }), { username: 'bob', login: false, roles: [CLUB] }),
    ...(MAJOR < 16 ? { from: 'plan' as const } : {}),
  },
  create_database: { admin: 'LOGIN CREATEROLE', document: { databases: [{ name: 'new " :x', create: true }], ...users() } },
  alter_database_owner: {
    admin: 'LOGIN CREATEROLE',
    before: [`CREATE DATABASE other`, `CREATE ROLE ${club}`],
    document: { databases: [{ name: 'other', owner: CLUB }], ...users() },
  },
  create_schema: { before: [`ALTER DATABASE ${home} OWNER TO postgres`], document: { databases: [{ name: HOME, schemas: [`new ${ODD}`] }], ...users() } },
  alter_schema_owner: {
    before: [`CREATE ROLE ${club}`],
    setup: `CREATE SCHEMA s`,
    document: { databases: [{ name: HOME, schemas: [{ name: 's', owner: CLUB }] }], ...users() },
  },
  create_extension: {
    setup: `CREATE SCHEMA s AUTHORIZATION ${adm}`,
    document: { databases: [{ name: HOME, extensions: [{ name: 'amcheck', schema: 's' }] }], ...users() },
    from: 'failure',
  },
  remove_event_trigger: {
    admin: 'LOGIN SUPERUSER',
    setup: ourTable,
    first: users(user({ grants: [reads] })),
    byHand: `ALTER ROLE ${adm} NOSUPERUSER CREATEROLE CREATEDB; ALTER EVENT TRIGGER pgsteward_objects OWNER TO postgres; ALTER EVENT TRIGGER pgsteward_drift OWNER TO postgres`,
    document: users(user()),
    from: 'failure',
  },
  grant_privilege: { setup: theirTable('postgres'), first: users(user()), document: users(user({ grants: [reads] })) },
  revoke_privilege: [
    { setup: theirTable('postgres'), first: users(user()), byHand: `GRANT DELETE ON ${orders} TO ${alice}`, document: users(user({ grants: [reads] })) },
    // What a third role granted is revoked as that one.
    {
      before: [`CREATE ROLE ${outsider}`, `GRANT ${outsider} TO ${adm}`],
      setup: `${ourTable}; GRANT USAGE ON SCHEMA s TO ${outsider}; GRANT DELETE ON ${orders} TO ${outsider} WITH GRANT OPTION`,
      first: users(user({ grants: [reads] })),
      byHand: `SET ROLE ${outsider}; GRANT DELETE ON ${orders} TO ${alice}`,
      document: users(user({ grants: [reads] })),
      from: 'plan',
    },
  ],
  grant_default_privilege: {
    before: [`CREATE ROLE ${boss} SUPERUSER`],
    setup: `CREATE SCHEMA s AUTHORIZATION ${adm}`,
    first: users(user()),
    document: { databases: [{ name: HOME, createdBy: [BOSS] }], ...users(user({ grants: [reads] })) },
  },
  revoke_default_privilege: {
    before: [`CREATE ROLE ${boss}`, `GRANT ${boss} TO ${adm}`],
    setup: `CREATE SCHEMA s AUTHORIZATION ${adm}; GRANT CREATE, USAGE ON SCHEMA s TO ${boss}`,
    first: users(user({ grants: [reads] })),
    byHand: `ALTER DEFAULT PRIVILEGES FOR ROLE ${boss} IN SCHEMA s GRANT DELETE ON TABLES TO ${alice}; ALTER ROLE ${boss} SUPERUSER; REVOKE ${boss} FROM ${adm}`,
    document: users(user({ grants: [reads] })),
  },
  clear_password: {
    ...removed,
    first: users({ username: ALICE }),
    env: { DELETION_POLICY: 'disable' },
    again: true,
    holds: "SELECT rolpassword IS NULL AS yes FROM pg_authid WHERE rolname ~ '^alice'",
  },
  disable_role: {
    ...removed,
    first: users({ username: ALICE }),
    env: { DELETION_POLICY: 'disable' },
    again: true,
    holds: `SELECT NOT rolcanlogin AS yes FROM pg_roles WHERE rolname = ${literal(ALICE)}`,
  },
  end_sessions: { ...removed, first: users({ username: ALICE }), holds: `SELECT count(*) = 0 AS yes FROM pg_stat_activity WHERE usename = ${literal(ALICE)}` },
  release_owned: {
    before: [`CREATE ROLE ${club}`, `CREATE ROLE ${outsider}`],
    setup: theirTable(outsider ?? ''),
    first: users(user()),
    byHand: `GRANT USAGE ON SCHEMA s TO ${outsider}; SET ROLE ${outsider}; GRANT SELECT ON ${orders} TO ${alice}; GRANT SELECT ON ${orders} TO ${club} WITH GRANT OPTION; RESET ROLE; GRANT USAGE ON SCHEMA s TO ${club}; SET ROLE ${club}; GRANT SELECT ON ${orders} TO ${alice}`,
    document: users(),
    from: 'failure',
  },
  drop_role: { ...removed, with: ['release_owned'], holds: `SELECT count(*) = 0 AS yes FROM pg_roles WHERE rolname = ${literal(ALICE)}` },
};

/** What is asked for of one kind: by notices, or by the SQL of what is planned. */
function asked(report: CycleReport, kinds: readonly AdviceKind[], from: Scenario['from']): Advice[] {
  const planned = report.planned.flatMap((change) => adviceFor(change, { major: server.major, admin: ADM }) ?? []);
  const all = from === 'plan' ? planned : report.notices.flatMap(({ advice }) => advice ?? []);
  return all.filter((advice) => kinds.includes(advice.kind));
}

const CASES = ADVICE_KINDS.flatMap((kind) => [SCENARIOS[kind]].flat().map((scenario): [AdviceKind, Scenario] => [kind, scenario]));

it.for(CASES.filter(([, { since = 0 }]) => since <= MAJOR))('%s: what is pasted into psql does it', async ([kind, scenario]) => {
  const { admin = 'LOGIN CREATEROLE CREATEDB', env = {}, before, setup, first, byHand, document, from, prints, holds, with: earlier = [], again } = scenario;
  await server.query(`CREATE ROLE ${adm} ${admin} PASSWORD 'adm'`);
  await server.query(`CREATE DATABASE ${home} OWNER ${adm}`);
  if (before !== undefined) for (const statement of before) await server.query(statement);
  if (setup !== undefined) await server.query(setup, HOME);
  const settings = { DB_USER: ADM, DB_PASS: 'adm', DB_NAME: HOME, RETRY_BACKOFF_BASE: '1', ...env };
  const dry = from === 'failure' ? {} : { DRY_RUN: 'true' };
  steward = await createSteward(server, { ...settings, ...(first === undefined ? dry : {}) });
  if (first !== undefined) {
    steward.manifests.secret(ALICE, 'p');
    steward.manifests.users(stringify(first));
    expect(['changed', 'converged']).toContain((await steward.cycle()).result);
    if (byHand !== undefined) await server.query(byHand, HOME);
    steward = await steward.restart(dry);
  }
  const session = kind === 'end_sessions' ? await server.client(HOME, { user: ALICE, password: 'p' }) : undefined;
  steward.manifests.users(stringify(document));
  let report = await steward.cycle();
  if (from === 'failure' && asked(report, [kind], from).length === 0) report = await steward.cycle();
  const advices = asked(report, [...earlier, kind], from);
  expect(advices.length, JSON.stringify([report.notices, report.planned, report.problems, report.error])).toBeGreaterThan(0);
  const printed: string[] = [];
  for (const { sql, database } of advices) {
    // eslint-disable-next-line no-control-regex -- none of them may be there
    expect(sql).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
    printed.push(await paste(server, sql, database === '' ? 'postgres' : database));
  }
  await session?.end().catch(() => undefined);
  if (prints !== undefined) return expect(printed.join('\n')).toMatch(prints);
  const after = [await steward.cycle(), await steward.cycle()].at(-1);
  expect(after?.error).toBeUndefined();
  if (again !== true) expect(after === undefined ? [] : asked(after, [kind], from)).toEqual([]);
  if (holds !== undefined) expect(await server.query(holds)).toEqual([{ yes: true }]);
});

it('where a grantor is a superuser since, and no REVOKE reaches what it granted, the message says what does', async () => {
  await server.query(`CREATE ROLE ${adm} LOGIN CREATEROLE CREATEDB PASSWORD 'adm'; CREATE ROLE "bo""ss"`);
  await server.query(`CREATE DATABASE ${home} OWNER ${adm}`);
  steward = await createSteward(server, { DB_USER: ADM, DB_PASS: 'adm', DB_NAME: HOME, RETRY_BACKOFF_BASE: '1' });
  steward.manifests.users(stringify(users({ username: 'bob', login: false })));
  await steward.cycle();
  await server.query(
    `CREATE TABLE t (id int); GRANT SELECT ON t TO "bo""ss" WITH GRANT OPTION; SET ROLE "bo""ss"; GRANT SELECT ON t TO bob; RESET ROLE; ALTER ROLE "bo""ss" SUPERUSER`,
    HOME,
  );
  steward.manifests.users(stringify(users()));
  const { notices } = await steward.cycle();
  const said = notices.flatMap(({ message, advice }) => (message.includes('as another superuser: ') ? [[message, advice] as const] : []));
  expect(said.map(([, advice]) => advice)).toEqual([undefined]);
  await paste(server, /as another superuser: (.*;) \(42501\)/.exec(said[0]?.[0] ?? '')?.[1] ?? '', HOME);
  steward = await steward.restart();
  await steward.cycle();
  expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname = 'bob' OR rolname = 'bo"ss' AND NOT rolsuper`)).toEqual([]);
});
