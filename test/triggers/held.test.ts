// What an event trigger follows for roles of which nobody can tell now what they are to have: it stays, and everybody else's rules are followed on.
import { stringify } from 'yaml';
import { beforeEach, expect, it } from 'vitest';
import { heldRulesOf, isHeldAsItIs } from '../../src/plan/triggers/held-rules.ts';
import { rulesDocument } from '../../src/plan/triggers/rules-document.ts';
import { triggerRulesOf } from '../../src/plan/triggers/trigger-rules.ts';
import { compileRules } from '../../src/plan/privileges/rules.ts';
import { atOnce } from '../../src/model/in-parts.ts';
import { rulesBody } from '../../src/sql/trigger-sql.ts';
import { read } from '../document/read.ts';
import { QUIET } from '../privileges/quiet.ts';
import { authorOf } from '../support/authors.ts';
import { Manifests } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  QUIET,
  (started) => (server = started),
  () => steward,
);

const ODD = `shop_%_"q"\u001f$$\n'DROP`;
const authors = [authorOf('shop', { databases: ['common'] }), authorOf('bill', { databases: ['common'] })];
const role = (name: string, tables: Readonly<Record<string, readonly string[]>>, more: object = {}): object => ({
  name,
  grants: [{ database: 'common', schemas: ['s%', 'a*'], tables, ...more }],
});
const shop = { users: [], allowEmpty: true, roles: [role(ODD, { 'out_%': ['SELECT'], 'o*': ['INSERT', 'SELECT'], '*': ['DELETE'] })] };
const bill = (...privileges: readonly string[]) => ({ users: [], allowEmpty: true, roles: [role('bill_reader', { 'out_%': privileges })] });

beforeEach(async () => {
  await server.query('CREATE DATABASE common');
  await server.query('CREATE SCHEMA "s%"; CREATE SCHEMA abc', 'common');
});

async function begin(): Promise<void> {
  const manifests = new Manifests();
  manifests.users([{ username: 'operator_user', login: false }]);
  manifests.author('shop', shop);
  manifests.author('bill', bill('SELECT'));
  steward = await createSteward(server, { EVENT_TRIGGERS: 'on' }, manifests, undefined, undefined, true, authors);
  await steward.cycle();
}

/** What a new table has as its statement ends. */
async function onNew(name = 'out_%'): Promise<string> {
  await server.query(`DROP TABLE IF EXISTS "s%"."${name}"; CREATE TABLE "s%"."${name}" (i int)`, 'common');
  const rows = await server.query<{ role: string; privileges: string }>(
    `SELECT grantee::regrole::text AS role, string_agg(privilege_type, ' ' ORDER BY privilege_type) AS privileges
       FROM pg_class, aclexplode(relacl) WHERE oid = format('%I.%I', 's%', '${name}')::regclass AND grantee <> relowner GROUP BY 1 ORDER BY 1`,
    'common',
  );
  return rows
    .map((one) => `${one.role.startsWith('"') ? 'shop' : one.role} ${one.privileges}`)
    .toSorted()
    .join(', ');
}
const rules = async (): Promise<unknown> =>
  (await server.query(`SELECT md5(prosrc) FROM pg_proc WHERE pronamespace = 'pgsteward_trigger'::regnamespace AND proname = 'rules'`, 'common'))[0];

it('an author that cannot be read as we start keeps its rules, and another one’s are followed on; mended, all is as declared', async () => {
  await begin();
  expect(await onNew()).toBe('bill_reader SELECT, shop SELECT');
  expect(await onNew('other')).toBe('shop INSERT SELECT');
  const before = await rules();
  steward.manifests.author('shop', 'users: [');
  steward = await steward.restart();
  await steward.cycle();
  // Nothing is written where nobody wants anything else.
  expect(await rules()).toEqual(before);
  expect(await onNew()).toBe('bill_reader SELECT, shop SELECT');
  steward.manifests.author('bill', bill('SELECT', 'UPDATE'));
  await steward.cycle();
  expect(await onNew()).toBe('bill_reader SELECT UPDATE, shop SELECT');
  expect(await onNew('other')).toBe('shop INSERT SELECT');
  // What is held is written once, and stays.
  expect((await steward.cycle()).outcomes).toEqual([]);
  steward.manifests.author('bill', { users: [], allowEmpty: true });
  await steward.cycle();
  expect(await onNew()).toBe('shop SELECT');
  steward = await steward.restart();
  await steward.cycle();
  expect(await onNew()).toBe('shop SELECT');
  steward.manifests.author('shop', { ...shop, roles: [role(ODD, { '*': ['TRUNCATE'] })] });
  steward.manifests.author('bill', bill('SELECT'));
  await steward.cycle();
  expect(await onNew()).toBe('bill_reader SELECT, shop TRUNCATE');
  steward.manifests.author('shop', { users: [], allowEmpty: true });
  await steward.cycle();
  expect(await onNew()).toBe('bill_reader SELECT');
});

it('so does an entry of the operator that is wrong as we start, and one that is no longer declared does not', async () => {
  const manifests = new Manifests();
  const document = (wrong: object): string =>
    stringify({ users: [{ username: 'u', login: false }], roles: [{ ...role('kept', { '*': ['SELECT'] }), ...wrong }, role('other', { '*': ['INSERT'] })] });
  manifests.users(document({}));
  steward = await createSteward(server, { EVENT_TRIGGERS: 'on' }, manifests);
  await steward.cycle();
  expect(await onNew()).toBe('kept SELECT, other INSERT');
  manifests.users(document({ nonsense: 1 }));
  steward = await steward.restart();
  await steward.cycle();
  expect(await onNew()).toBe('kept SELECT, other INSERT');
  manifests.users(stringify({ users: [{ username: 'u', login: false }], roles: [role('other', { '*': ['INSERT'] })] }));
  await steward.cycle();
  expect(await onNew()).toBe('other INSERT');
});

it('of a text that is no document of rules of this database nothing is held', () => {
  const document = read(
    stringify({
      roles: [
        { name: ODD, grants: [{ database: 'd', schemas: ['*'], tables: { '*a%': ['SELECT'], '*': ['INSERT'] }, functions: { 'f(text)': ['EXECUTE'] } }] },
      ],
      users: [],
      allowEmpty: true,
    }),
  );
  expect(document.problems).toEqual([]);
  const subject = {
    name: ODD,
    rules: compileRules(document.roles[0]?.rules ?? [], { major: 18, defaultDatabase: 'd' }),
    mode: 'exact' as const,
    connectsElsewhere: false,
    position: { file: '', line: 1, column: 1 },
  };
  const wanted = atOnce(triggerRulesOf([subject], 'd', true, () => false));
  const whole = atOnce(rulesDocument(wanted, 'd', () => false));
  const body = rulesBody(whole.text);
  const yes = (): boolean => true;
  const held = heldRulesOf(body, 'd', true, yes);
  expect(held.rules.map(({ followed }) => followed)).toEqual(whole.following);
  const again = atOnce(rulesDocument({ subjects: new Map(), rules: [] }, 'd', () => false, held));
  expect(isHeldAsItIs(body, again.text, 'd')).toBe(true);
  expect(again.following).toEqual(whole.following);
  expect(heldRulesOf(body, 'd', false, yes).subjects.get(ODD)).toBe('additive');
  for (const [text, database, holds] of [
    [body, 'e', yes],
    [body, 'd', () => false],
    [undefined, 'd', yes],
    ['BEGIN RETURN NULL; END', 'd', yes],
    [body.replace('{"database"', '{"database'), 'd', yes],
    [body.replace('"rank":', '"rang":'), 'd', () => false],
  ] as const)
    expect(heldRulesOf(text, database, true, holds).rules).toEqual([]);
});
