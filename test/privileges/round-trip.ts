// The round trip: random servers and random documents on real databases; after a cycle every role holds on every object what a second
// evaluator of the document says, what is not ours is as it was byte for byte, and the next cycle writes nothing.
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { sentenceOf } from '../../src/changes/change.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { followedCycle } from '../access/follow.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { holdsOn, ident, nameOf, type ObjectWithAcl, rawEntries, readObjects } from './acl.ts';
import { expectedOf, heldBy, modeOf, type PlainDocument, ruleMatches, rulesOf, rulesOfBlock } from './evaluator.ts';
import { rightsOf } from './has-privilege.ts';
import { QUIET, writesDuring } from './quiet.ts';
import { randomDocument } from './random-document.ts';
import {
  clearSql,
  CONTENTS,
  contentsSql,
  DATABASES,
  grantSql,
  MANAGED,
  OUTSIDERS,
  OWNERS,
  type RandomServer,
  randomServer,
  SCHEMAS,
  USER,
} from './random-server.ts';

const CASES = Number(process.env['CASES'] ?? 300);
/** Two of so many cases are followed; `FOLLOWED=2` for all. */
const FOLLOWED = Number(process.env['FOLLOWED'] ?? 10);
const HOME = 'postgres';
const ROLES = [...MANAGED, USER];
const ANYBODY = 'x_anybody';

let server: Postgres;
let steward: Steward;
let preview: Steward;
/** Whether what a case leaves is compared with what its changes leave in values, which takes a while. */
let isFollowed = false;
const clients = new Map<string, pg.Client>();
const inDatabase = (database: string): pg.Client => {
  const client = clients.get(database);
  if (client === undefined) throw new Error(`no connection to ${database}`);
  return client;
};

async function start(): Promise<void> {
  // The log is read after every case; what only reads need not be in it.
  server = await startPostgres({ settings: { ...QUIET, log_statement: 'mod' } });
  for (const role of [...OWNERS, ...OUTSIDERS, ...ROLES]) await server.query(`CREATE ROLE ${ident(role)}`);
  await server.query(`CREATE ROLE ${ANYBODY} SUPERUSER`);
  for (const [index, database] of DATABASES.entries()) {
    await server.query(`CREATE DATABASE ${database} OWNER ${OWNERS[index]}`);
    const client = await server.client(database);
    await client.query(
      'CREATE FOREIGN DATA WRAPPER rt_wrapper; CREATE SERVER rt_server FOREIGN DATA WRAPPER rt_wrapper; GRANT USAGE ON FOREIGN SERVER rt_server TO PUBLIC',
    );
    clients.set(database, client);
  }
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
  preview = await createSteward(server, { DRY_RUN: 'true' }, steward.manifests);
}

async function stop(): Promise<void> {
  for (const client of clients.values()) await client.end();
  await preview.close();
  await steward.close();
  await server.stop();
}

/** Every object of the two databases; things of the cluster once. */
async function everything(): Promise<ObjectWithAcl[]> {
  const all: ObjectWithAcl[] = [];
  for (const database of DATABASES) {
    const objects = await readObjects(inDatabase(database), server.major);
    all.push(...objects.filter(({ kind, name }) => kind !== 'database' || name === database));
  }
  return all.filter(({ kind }) => !['tablespace', 'parameter', 'language'].includes(kind));
}

async function raw(roles: readonly string[]): Promise<readonly string[]> {
  const entries: string[] = [];
  for (const database of DATABASES) entries.push(...(await rawEntries(inDatabase(database), roles, server.major)).map((entry) => `${database} ${entry}`));
  return entries;
}

/** Makes the server what the case says it is before the cycle; the SQL that it took. */
async function build(random: RandomServer, document: PlainDocument): Promise<string[]> {
  const done: string[] = [];
  const run = async (database: string, sql: string): Promise<void> => {
    await inDatabase(database).query(sql);
    done.push(`-- ${database}\n${sql}`);
  };
  for (const database of DATABASES) {
    await inDatabase(database).query(clearSql(database));
    await run(database, contentsSql(random, database));
    const objects = (await readObjects(inDatabase(database), server.major)).filter(
      ({ schema, kind, name }) => SCHEMAS.some((one) => one === schema) || (kind === 'database' && name === database),
    );
    for (const grant of random.grants) {
      // What a role of ours granted goes with its own right; nobody else may lose anything by that.
      const ours = ROLES.some((role) => role === grant.via);
      if (grant.database !== database || (ours && modeOf(document, grant.grantee, HOME) !== 'authoritative')) continue;
      const sql = grantSql(grant, objects, server.major);
      // Refused where the server knows no such grant, for example back to one's own grantor.
      if (sql !== undefined) await run(database, sql).catch(() => undefined);
      await inDatabase(database).query('RESET ROLE');
    }
  }
  return done;
}

const text = (held: ReadonlyMap<string, boolean>): string =>
  [...held]
    .map(([privilege, grantable]) => privilege + (grantable ? '*' : ''))
    .toSorted()
    .join(' ');
const atLeast = (held: ReadonlyMap<string, boolean>, wanted: ReadonlyMap<string, boolean>): boolean =>
  [...wanted].every(([privilege, grantable]) => held.has(privilege) && (held.get(privilege) === true || !grantable));

/** Where roles hold something else than the document says; `before` is for roles that may keep what they had. */
function differences(document: PlainDocument, objects: readonly ObjectWithAcl[], before: ReadonlyMap<string, ObjectWithAcl>): string[] {
  return ROLES.flatMap((role) => {
    const mode = modeOf(document, role, HOME);
    return objects.flatMap((object) => {
      const wanted = expectedOf(document, role, object, HOME, server.major);
      if (wanted === undefined) return [];
      const held = holdsOn(object, role);
      const earlier = before.get(nameOf(object));
      // CONNECT of users has a rule of its own: `database` and `databases` say all of it.
      const keeps = mode === 'additive' && earlier !== undefined && !(role === USER && object.kind === 'database');
      const kept = keeps ? holdsOn(earlier, role) : new Map<string, boolean>();
      const right = mode === 'authoritative' ? text(held) === text(wanted) : atLeast(held, wanted) && atLeast(held, kept);
      return right
        ? []
        : [`${role} (${mode}) on ${nameOf(object)} holds [${text(held)}], should hold [${text(wanted)}]${kept.size > 0 ? ` and keep [${text(kept)}]` : ''}`];
    });
  });
}

/** The same for PUBLIC, which is as the document says where a rule names the object, and else as it was. */
function publicDifferences(document: PlainDocument, objects: readonly ObjectWithAcl[], before: ReadonlyMap<string, ObjectWithAcl>): string[] {
  return objects.flatMap((object) => {
    const entry = document.databases?.find(({ name }) => name === object.database);
    const earlier = before.get(nameOf(object));
    if (earlier === undefined) return [];
    const block = entry?.public === undefined ? {} : entry.public === 'revoked' ? { databasePrivileges: [], schemas: { public: [] } } : entry.public;
    const rules = rulesOfBlock(block, object.database).filter((rule) => ruleMatches(rule, object));
    const implied = rules.some((rule) => rule.implied);
    const named = rules.some((rule) => !rule.implied);
    const wanted = new Map([...(named ? heldBy(rules, object, server.major) : holdsOn(earlier, '')), ...(implied ? [['USAGE', false] as const] : [])]);
    const held = holdsOn(object, '');
    return text(held) === text(wanted) ? [] : [`PUBLIC on ${nameOf(object)} holds [${text(held)}], should hold [${text(wanted)}]`];
  });
}

const explain = (report: CycleReport): string =>
  JSON.stringify(
    { result: report.result, problems: report.problems, notices: report.notices.filter(({ kind }) => kind !== 'pending'), error: report.error },
    undefined,
    1,
  );

/** Cycles until nothing is left to do, at most twice. */
async function settle(): Promise<void> {
  const { planned } = await preview.cycle();
  let report = await (isFollowed ? followedCycle(steward) : steward.cycle());
  // Nothing is done that a dry run would not have shown.
  const shown = new Set(planned.map(sentenceOf));
  expect(report.outcomes.map(({ change }) => sentenceOf(change)).filter((sentence) => !shown.has(sentence))).toEqual([]);
  if (!['converged', 'changed'].includes(report.result)) report = await steward.cycle();
  if (!['converged', 'changed'].includes(report.result)) throw new Error(explain(report));
}

const byName = (objects: readonly ObjectWithAcl[]): ReadonlyMap<string, ObjectWithAcl> => new Map(objects.map((object) => [nameOf(object), object]));

async function check(document: PlainDocument): Promise<void> {
  const untouched = [...OUTSIDERS, ...OWNERS, ...ROLES.filter((role) => modeOf(document, role, HOME) === 'alone')];
  // A user that declares no privileges still gets CONNECT.
  const ignored = untouched.includes(USER) ? /^database / : /^$/;
  const entries = async (): Promise<readonly string[]> => (await raw(untouched)).filter((entry) => !ignored.test(entry.replace(/^\S+ /, '')));
  const [before, rawBefore] = [byName(await everything()), await entries()];
  await settle();
  const after = await everything();
  expect(differences(document, after, before)).toEqual([]);
  expect(publicDifferences(document, after, before)).toEqual([]);
  expect(await entries()).toEqual(rawBefore);
  for (const database of DATABASES)
    expect(
      await rightsOf(
        inDatabase(database),
        after.filter((object) => object.database === database),
        ROLES.filter((role) => rulesOf(document, role, HOME) !== undefined),
        server.major,
      ),
    ).toEqual([]);
  const nothing = ROLES.filter((role) => rulesOf(document, role, HOME)?.length === 0 && modeOf(document, role, HOME) === 'authoritative');
  expect((await raw(nothing)).filter((entry) => entry.includes(' default '))).toEqual([]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);

  // Whatever the schemas' owners create from now on is as accessible as what was there.
  for (const database of DATABASES)
    for (const schema of after.filter((object) => object.kind === 'schema' && object.database === database && object.name !== 'public')) {
      const at = ident(schema.name);
      await inDatabase(database).query(
        `SET ROLE ${ident(schema.owner)}; CREATE TABLE ${at}.zz_new (zz_id integer); CREATE SEQUENCE ${at}.zz_seq; CREATE FUNCTION ${at}.zz_call() RETURNS integer LANGUAGE sql AS 'SELECT 1'; RESET ROLE`,
      );
    }
  const fresh = (await everything()).filter(({ kind, name }) => kind !== 'column' && name.startsWith('zz_'));
  expect(differences(document, fresh, new Map()), 'at once').toEqual([]);
  await settle();
  expect(differences(document, await everything(), before), 'after the next cycle').toEqual([]);
  await byAnybody(document);
}

/** What somebody creates for whom there are no default privileges has at once what the document says, by the event trigger alone. */
async function byAnybody(document: PlainDocument): Promise<void> {
  const before = await everything();
  for (const database of DATABASES) {
    const schemas = before.filter((object) => object.kind === 'schema' && object.database === database && object.name !== 'public');
    // Those that are there already stay as they are.
    for (const schema of schemas)
      for (const [, create] of CONTENTS)
        await inDatabase(database)
          .query(`SET ROLE ${ANYBODY}; ${create.replaceAll('@', ident(schema.name))}; RESET ROLE`)
          .catch(() => inDatabase(database).query('RESET ROLE'));
  }
  const known = byName(before);
  const fresh = (await everything()).filter((object) => !known.has(nameOf(object)));
  expect(differences(document, fresh, new Map()), 'by anybody').toEqual([]);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
}

const drawn = fc.sample(fc.record({ random: randomServer, document: randomDocument }), { numRuns: CASES, seed: Number(process.env['SEED'] ?? 20_261_121) });

/** Defines the tests of every other case, so that two workers share them: those with an even number, or those with an odd one. */
export function roundTrips(parity: 0 | 1): void {
  beforeAll(start);
  afterAll(stop);
  it.each(drawn.map((drawn, index) => ({ ...drawn, index })).filter(({ index }) => index % 2 === parity))(
    'case $index: every role holds what the document says, and the next cycle writes nothing',
    async ({ random, document, index }) => {
      isFollowed = index % FOLLOWED < 2;
      const sql = await build(random, document);
      const yaml = stringify(document, { aliasDuplicateObjects: false });
      steward.manifests.users(yaml);
      try {
        await check(document);
      } catch (error) {
        if (error instanceof Error) error.message = `${error.message}\n\nDocument:\n${yaml}\nServer:\n${sql.join(';\n')}`;
        throw error;
      }
    },
  );
}
