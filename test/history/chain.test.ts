// The chain over the audit log: whatever its owner changes, removes, puts in or puts in another order is found, and what goes with its time is not.
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { headText } from '../../src/model/audit-head.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { createAuditHead } from '../../src/steward/audit-stand.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { callHere, type Called } from '../commands/call.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import { WITHOUT_HISTORY } from '../support/older-ledger.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const ADMIN = { DB_USER: 'adm', DB_PASS: 'adm-secret', DB_NAME: 'home' };
const NAMES = ['alice', 'it"s', 'a\u001fb', "o'x", 'a\nb'];
const documentOf = (limit: number): readonly object[] => NAMES.map((username) => ({ username, login: false, connectionLimit: limit }));

/** A plain admin, whose ledger has seen a few transactions. */
async function begin(env: Readonly<Record<string, string>> = {}): Promise<CycleReport> {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm-secret'`);
  await server.query('CREATE DATABASE home OWNER adm');
  steward = await createSteward(server, { ...ADMIN, ...env });
  for (const limit of [1, 2]) {
    steward.manifests.users(documentOf(limit));
    await steward.cycle();
  }
  steward.manifests.users(documentOf(3));
  return steward.cycle();
}

const verify = (head?: string, database = 'home'): Promise<Called> =>
  callHere(['history', '--verify', '-o', 'json', ...(head === undefined ? [] : ['--head', head])], '', {
    ...daemonEnv(server, steward.manifests.folder),
    ...ADMIN,
    DB_NAME: database,
  });
const found = async (head?: string, database?: string): Promise<readonly string[]> => {
  const { code, stdout, stderr } = await verify(head, database);
  if (code === 1) throw new Error(stderr);
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly { readonly what: string; readonly message: string }[] };
  expect(code).toBe(findings.length === 0 ? 0 : 2);
  return findings.map(({ what, message }) => `${what}: ${message}`);
};

/** As the owner of the ledger, who lifts whatever keeps the audit log as it is. */
const asOwner = async (sql: string, database = 'home'): Promise<void> => {
  const owner = await server.client(database, { user: 'adm', password: 'adm-secret' });
  try {
    await owner.query(`ALTER TABLE pgsteward.audit_log DISABLE TRIGGER USER; ${sql}; ALTER TABLE pgsteward.audit_log ENABLE TRIGGER USER`);
  } finally {
    await owner.end();
  }
};
const headOf = ({ audit }: CycleReport): string => (audit === undefined ? '' : headText(audit.head));

it('what nobody touched is proved, with the head that was told', async () => {
  const report = await begin();
  expect(report.audit).toEqual({ head: { link: expect.any(Number) as number, hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string }, revision: 3 });
  expect(await found(headOf(report))).toEqual([]);
  const { stdout } = await callHere(['history', '--verify', '--head', headOf(report)], '', { ...daemonEnv(server, steward.manifests.folder), ...ADMIN });
  expect(stdout).toContain('what --head says is part of it\nnothing was changed, removed, put in or put in another order\n');
  // A cycle in which nothing is done appends nothing.
  expect(headOf(await steward.cycle())).toBe(headOf(report));
});

const COLUMNS = 'id, at, change, role, object, why, sql, outcome, detail, intent, revision';
const CASES: readonly (readonly [what: string, sql: string, told: RegExp])[] = [
  ['a role', `UPDATE pgsteward.audit_log SET role = 'mallory' WHERE id = 2`, /^changed: row 2 /],
  ['a time', `UPDATE pgsteward.audit_log SET at = at + interval '1 microsecond' WHERE id = 2`, /^changed: row 2 /],
  ['a detail', `UPDATE pgsteward.audit_log SET detail = 'x' WHERE id = 2`, /^changed: row 2 /],
  ['the revision', 'UPDATE pgsteward.audit_log SET revision = 1 WHERE id = (SELECT max(id) FROM pgsteward.audit_log)', /^changed: row \d+ /],
  ['a row that is gone', 'DELETE FROM pgsteward.audit_log WHERE id = 2', /^removed: row\(s\) 2 /],
  ['the newest rows', 'DELETE FROM pgsteward.audit_log WHERE id > 3', /^removed: row\(s\) 4-\d+ /],
  [
    'a row that was put at the end',
    `INSERT INTO pgsteward.audit_log (${COLUMNS}) SELECT (SELECT max(id) + 1 FROM pgsteward.audit_log), at, change, role, object, why, sql, outcome, detail, intent, revision FROM pgsteward.audit_log WHERE id = 1`,
    /^inserted: row \d+ /,
  ],
  [
    'two rows that changed places',
    'UPDATE pgsteward.audit_log SET id = -2 WHERE id = 2; UPDATE pgsteward.audit_log SET id = 2 WHERE id = 3; UPDATE pgsteward.audit_log SET id = 3 WHERE id = -2',
    /^changed: row 2 /,
  ],
  [
    'the era of a time',
    `UPDATE pgsteward.audit_log SET at = (to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') || ' BC')::timestamptz WHERE id = 2`,
    /^changed: row 2 /,
  ],
  [
    'a row below all numbers',
    `INSERT INTO pgsteward.audit_log (${COLUMNS}) SELECT -9223372036854775808, at, change, role, object, why, sql, outcome, detail, NULL, revision FROM pgsteward.audit_log WHERE id = 1`,
    /^inserted: row -9/,
  ],
  [
    'a row that is there twice',
    'ALTER TABLE pgsteward.audit_log DROP CONSTRAINT audit_log_pkey CASCADE; INSERT INTO pgsteward.audit_log SELECT * FROM pgsteward.audit_log WHERE id = 2',
    /^inserted: row 2 is in the audit log more than once/,
  ],
  [
    'a revision that is there twice',
    'ALTER TABLE pgsteward.revision DROP CONSTRAINT revision_pkey; INSERT INTO pgsteward.revision SELECT * FROM pgsteward.revision WHERE id = 2',
    /^inserted: revision 2 is there more than once/,
  ],
  ['a link that is gone', 'DELETE FROM pgsteward.audit_chain WHERE link = 2', /^chain: the links 2 to 2 of the chain are missing/],
  ['a link that was changed', `UPDATE pgsteward.audit_chain SET hash = sha256('x') WHERE link = 2`, /^chain: the link 2 of the chain does not follow/],
  ['the beginning of the chain', 'DELETE FROM pgsteward.audit_chain WHERE link < 2', /^chain: the chain begins with the link 2/],
  ['all of the chain', 'TRUNCATE pgsteward.audit_chain', /^chain: there is no chain/],
  ['a revision', `UPDATE pgsteward.revision SET sources = '[]' WHERE id = 2`, /^changed: revision 2 /],
  ['a revision that is gone', 'DELETE FROM pgsteward.revision WHERE id = 2', /^removed: revision 2 /],
  ['a document', `UPDATE pgsteward.document SET content = ''`, /^document: the document postgres\/postgres-users-config of revision 1 /],
];

it('whatever its owner changes, removes, puts in or puts in another order is found, with a head of before and without one', async () => {
  const head = headOf(await begin());
  // What is found of one is found in a copy of the ledger.
  await steward.close();
  const wrong: object[] = [];
  for (const [index, [what, sql, told]] of CASES.entries()) {
    const copy = `copy_${index}`;
    await server.query(`CREATE DATABASE ${copy} TEMPLATE home OWNER adm`);
    await asOwner(sql, copy);
    for (const lines of [await found(head, copy), await found(undefined, copy)]) if (!lines.some((line) => told.test(line))) wrong.push({ what, lines });
    await server.query(`DROP DATABASE ${copy}`);
  }
  expect(wrong).toEqual([]);
});

/** The chain as it would have been made for the rows as they are now, from a link on. */
const MADE_ANEW = `DO $$ DECLARE c record; h bytea; i bytea; BEGIN
  FOR c IN SELECT * FROM pgsteward.audit_chain WHERE link > (SELECT min(link) FROM pgsteward.audit_chain) ORDER BY link LOOP
    SELECT hash INTO h FROM pgsteward.audit_chain WHERE link = c.link - 1;
    SELECT string_agg(CASE WHEN k.id < 0 OR a.id IS NULL THEN k.item ELSE substring(k.item for 8) || sha256(convert_to(json_build_array(a.id, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        a.change, a.role, a.object, a.why, a.sql, a.outcome, a.detail, a.intent, a.revision)::text, 'UTF8')) END, '' ORDER BY k.place) INTO i
      FROM (SELECT n AS place, substring(c.items from n for 40) AS item, ('x' || encode(substring(c.items from n for 8), 'hex'))::bit(64)::bigint AS id
        FROM generate_series(1, length(c.items), 40) n) k LEFT JOIN pgsteward.audit_log a ON a.id = k.id;
    UPDATE pgsteward.audit_chain SET items = i, hash = sha256(h || i) WHERE link = c.link;
  END LOOP; END $$`;

it('an owner who makes the whole chain anew is found by the head that was noted down elsewhere', async () => {
  const head = headOf(await begin());
  await asOwner(`UPDATE pgsteward.audit_log SET role = 'mallory' WHERE id = 2; ${MADE_ANEW}`);
  // It is a perfect chain.
  expect(await found()).toEqual([]);
  expect(await found(head)).toEqual([expect.stringMatching(/^head: the link \d+ is not the one that was noted down/) as string]);
});

it('an owner who takes the end away, with its links, is found by that head as well', async () => {
  const head = headOf(await begin());
  await asOwner(`DELETE FROM pgsteward.audit_log WHERE id > (SELECT last FROM pgsteward.audit_chain WHERE link = 2);
    DELETE FROM pgsteward.revision WHERE id > 1; DELETE FROM pgsteward.audit_chain WHERE link > 2`);
  expect(await found()).toEqual([]);
  expect(await found(head)).toEqual([expect.stringMatching(/^head: the chain ends with the link 2, and \d+ was noted down/) as string]);
});

it('an owner who appends a link that follows is seen by whoever knows the head, and by the process that wrote it', async () => {
  const head = headOf(await begin());
  await asOwner(`INSERT INTO pgsteward.audit_chain SELECT link + 1, last, items, sha256(hash || items) FROM pgsteward.audit_chain ORDER BY link DESC LIMIT 1`);
  expect(JSON.parse((await verify(head)).stdout)).toMatchObject({ isNotedPart: true, newer: 1 });
  steward.manifests.users(documentOf(4));
  const { notices } = await steward.cycle();
  expect(notices.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
    expect.stringMatching(new RegExp(`^failed: the audit log ended with ${head} .* somebody else has written to it`)) as string,
  ]);
});

it('a cycle that fails after it has written is not taken for somebody else who writes there', async () => {
  await begin({ DB_LOCK_TIMEOUT: '1' });
  const other = await server.client('home');
  await other.query('BEGIN; LOCK TABLE pgsteward.managed_role IN SHARE MODE');
  // Its revision is written, and then not what the ledger has of it.
  steward.manifests.users(documentOf(3).map((user) => ({ ...user, deletionPolicy: 'retain' })));
  const failed = await steward.cycle();
  await other.query('ROLLBACK');
  await other.end();
  expect(failed).toMatchObject({ result: 'failed' });
  expect(await server.query('SELECT max(id)::int FROM pgsteward.revision', 'home')).toEqual([{ max: 4 }]);
  expect((await steward.cycle()).notices).toEqual([]);
  const after = await steward.cycle();
  expect(await found(headOf(after))).toEqual([]);
});

/** What the status ConfigMap says, of a folder that has none. */
const toldIn = (steward: Steward, text: () => Promise<string | undefined>) => {
  const connections = createConnections(steward.config.server, () => undefined);
  return { connections, head: createAuditHead({ connections }, { current: undefined }, text) };
};

it('a head that was told is told until somebody takes it back, where the chain no longer has it: a newer one would prove what is there now', async () => {
  const head = headOf(await begin());
  await asOwner(`UPDATE pgsteward.audit_log SET role = 'mallory' WHERE id = 2; ${MADE_ANEW}`);
  steward.manifests.users(documentOf(4));
  // The same process, in a later term as the writer.
  const later = await steward.cycle('SELECT 2');
  expect(later.audit).toBeUndefined();
  expect(later.notices.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
    expect.stringMatching(new RegExp(`^fallback: the audit log once ended with ${head}, and has that link no more`)) as string,
  ]);
  // A daemon that begins has it from the ConfigMap, and goes on all the same.
  const statusPublisher = { publish: () => Promise.resolve(undefined), published: () => Promise.resolve({ auditHead: head }) };
  const begun = await createSteward(server, ADMIN, steward.manifests, undefined, { beside: (ports) => ({ ...ports, statusPublisher }) });
  steward.manifests.users(documentOf(5));
  const told = await begun.cycle();
  expect({ result: told.result, audit: told.audit, notices: told.notices.map(({ kind }) => kind) }).toEqual({
    result: 'changed',
    audit: undefined,
    notices: ['fallback'],
  });
  await begun.close();
  // Another process, which has it from there; one that could not read there tells nothing; and one whose ConfigMap says nothing.
  const tried: object[] = [];
  for (const text of [() => Promise.resolve(head), () => Promise.reject(new Error('not now')), () => Promise.resolve(undefined)]) {
    const { connections, head: told } = toldIn(steward, text);
    await told.begin('SELECT 1');
    const stand = await told.end('SELECT 1');
    tried.push({ isTold: stand !== undefined, notices: told.notices().length });
    await connections.close();
  }
  expect(tried).toEqual([
    { isTold: false, notices: 1 },
    { isTold: false, notices: 0 },
    { isTold: true, notices: 0 },
  ]);
});

it('rows that go with their time leave a chain that is proved, and what else goes is found; the head of before is still known', async () => {
  await begin();
  const before = headOf(await steward.cycle());
  const [{ last } = { last: 0 }] = await server.query<{ last: number }>('SELECT max(id)::int AS last FROM pgsteward.audit_log', 'home');
  // What is old already was chained as it is.
  const old = `UPDATE pgsteward.audit_log SET at = at - interval '401 days' WHERE id < ${last}`;
  await asOwner(`${old}; ${MADE_ANEW}`);
  steward = await steward.restart();
  const trimmed = await steward.cycle();
  expect(trimmed.outcomes.map(({ change }) => change.kind)).toEqual(['trim_audit_log']);
  expect(await server.query('SELECT count(*)::int FROM pgsteward.audit_log', 'home')).toEqual([{ count: 2 }]);
  expect(await found(headOf(trimmed))).toEqual([]);
  expect(before).not.toBe('');
  // Once more, with what the first trim said.
  steward.manifests.users(documentOf(5));
  await steward.cycle();
  await asOwner(`UPDATE pgsteward.audit_log SET at = at - interval '401 days' WHERE id <= ${last + 1}; ${MADE_ANEW}`);
  steward = await steward.restart();
  const again = await steward.cycle();
  expect(await found(headOf(again))).toEqual([]);
  const links = await server.query<{ count: number }>('SELECT count(*)::int FROM pgsteward.audit_chain', 'home');
  expect(links[0]?.count).toBeLessThan(7);
  expect(await verify(headOf(again))).toMatchObject({ code: 0, stdout: expect.stringContaining('"revisions": 4') as string });
  await asOwner(`DELETE FROM pgsteward.audit_log WHERE id = (SELECT min(id) FROM pgsteward.audit_log)`);
  expect((await found()).join()).toMatch(/removed: row\(s\) \d+ of the audit log are gone, and no trim says so/);
});

it('repairs that go from the middle are said in the row of their trim, and the rest stays proved', async () => {
  await begin({ AUDIT_MAX_ROWS: '10000' });
  const [{ last } = { last: 0 }] = await server.query<{ last: number }>('SELECT max(id)::int AS last FROM pgsteward.audit_log', 'home');
  const rows = `generate_series(${last + 1}, ${last + 12_000}) n`;
  await asOwner(`WITH made AS (INSERT INTO pgsteward.audit_log (id, change, role, object, why, sql, outcome) SELECT n, 'revoke_privilege', 'r', 'o', '', '', 'applied' FROM ${rows} RETURNING *)
    INSERT INTO pgsteward.audit_chain SELECT c.link + 1, m.last, m.items, sha256(c.hash || m.items) FROM (SELECT * FROM pgsteward.audit_chain ORDER BY link DESC LIMIT 1) c,
      (SELECT max(id) AS last, string_agg(int8send(id) || sha256('') , '' ORDER BY id) AS items FROM made) m;
    INSERT INTO pgsteward.audit_repeat (id, same) SELECT n, n::text FROM ${rows} WHERE n % 2 = 0; ${MADE_ANEW}`);
  expect(await found()).toEqual([]);
  steward = await steward.restart();
  const report = await steward.cycle();
  expect(report.outcomes.map(({ change }) => change.kind)).toEqual(['trim_audit_log']);
  expect(await found(headOf(report))).toEqual([]);
  await asOwner(`DELETE FROM pgsteward.audit_log WHERE id = ${last + 11_999}`);
  expect(await found()).toEqual([`removed: row(s) ${last + 11_999} of the audit log are gone, and no trim says so`]);
});

/** As many links as revisions make that are kept no more, and rows that have gone. */
const OUTGROWN = `DO $$ DECLARE c record; n bigint; i bytea; r bytea; BEGIN
  SELECT items INTO r FROM pgsteward.audit_chain WHERE length(items) = 40 AND get_byte(items, 0) = 255 ORDER BY link LIMIT 1;
  FOR n IN 1..21000 LOOP
    SELECT * INTO c FROM pgsteward.audit_chain ORDER BY link DESC LIMIT 1;
    i := CASE WHEN n % 2 = 0 THEN r ELSE int8send(c.last + 1) || sha256(int8send(n)) END;
    INSERT INTO pgsteward.audit_chain VALUES (c.link + 1, CASE WHEN n % 2 = 0 THEN c.last ELSE c.last + 1 END, i, sha256(c.hash || i));
  END LOOP; END $$`;

it('a chain that covers much more than there is is written anew, and proves what it proved: what was changed or went without a word stays found', async () => {
  await begin({ AUDIT_MAX_REVISIONS: '2' });
  const [before] = await server.query<{ last: number; link: number }>(
    'SELECT (SELECT max(id) FROM pgsteward.audit_log)::int AS last, max(link)::int AS link FROM pgsteward.audit_chain',
    'home',
  );
  const last = before?.last ?? 0;
  await asOwner(OUTGROWN);
  // These went by a trim, which says so; the last of them is its row.
  await asOwner(
    `INSERT INTO pgsteward.audit_log (id, change, role, object, why, sql, outcome, detail) VALUES (${last + 10_500}, 'trim_audit_log', '', '', '', '', 'applied', 'anchor 0 ${'0'.repeat(64)}; cut ${last + 1}-${last + 10_499}')`,
  );
  await asOwner(MADE_ANEW);
  expect(await found()).toEqual([]);
  await asOwner(
    `UPDATE pgsteward.audit_log SET role = 'mallory' WHERE id = 2; DELETE FROM pgsteward.audit_log WHERE id = 3; DELETE FROM pgsteward.revision WHERE id = 2`,
  );
  const wrong = await found();
  expect(wrong).toHaveLength(3);
  steward = await steward.restart();
  const report = await steward.cycle();
  expect(report.outcomes.map(({ change }) => change)).toMatchObject([{ kind: 'trim_audit_log', rows: 0, reason: 'chain' }]);
  expect(await found(headOf(report))).toEqual(wrong);
  const [after] = await server.query<{ count: number; bytes: number }>(
    'SELECT count(*)::int, sum(length(items))::int AS bytes FROM pgsteward.audit_chain',
    'home',
  );
  expect(after?.count).toBe(3);
  expect(after?.bytes).toBeLessThan(40 * (last + 10));
  // And it goes on from there.
  steward.manifests.users(documentOf(4));
  // Revision 2 has gone with its time by then.
  expect(await found(headOf(await steward.cycle()))).toEqual(wrong.slice(0, 2));
});

it('a chain that is broken is not written anew', async () => {
  await begin();
  await asOwner(`${OUTGROWN}; UPDATE pgsteward.audit_chain SET items = items || items WHERE link = 2`);
  steward = await steward.restart();
  expect((await steward.cycle()).outcomes).toEqual([]);
  expect((await found()).join()).toContain('chain: the link 2 of the chain does not follow');
});

it('a revision that was taken away is found after a trim as well', async () => {
  await begin();
  await asOwner(
    `UPDATE pgsteward.audit_log SET at = at - interval '401 days' WHERE id < (SELECT max(id) FROM pgsteward.audit_log); ${MADE_ANEW}; DELETE FROM pgsteward.revision WHERE id = 1`,
  );
  const wrong = await found();
  expect(wrong).toEqual(['removed: revision 1 of 3 is gone']);
  steward = await steward.restart();
  expect((await steward.cycle()).outcomes.map(({ change }) => change.kind)).toEqual(['trim_audit_log']);
  expect(await found()).toEqual(wrong);
});

it('what was in the audit log of an older ledger is what the chain begins with', async () => {
  await begin();
  await asOwner(`${WITHOUT_HISTORY}; DELETE FROM pgsteward.migration WHERE version > 8; UPDATE pgsteward.audit_log SET id = id + 1000 WHERE id > 4`);
  expect((await verify()).stderr).toContain('the ledger is that of an older pgsteward');
  steward = await steward.restart();
  const report = await steward.cycle();
  expect(await found(headOf(report))).toEqual([]);
  await asOwner(`UPDATE pgsteward.audit_log SET why = 'x' WHERE id = 1005`);
  expect(await found()).toEqual(['changed: row 1005 of the audit log is not as it was written']);
});

it('the hash of a row is one of everything that it says, as anybody can compute it', async () => {
  await begin();
  const [row] = await server.query<{ text: string; items: string }>(
    `SELECT json_build_array(a.id, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), a.change, a.role, a.object, a.why, a.sql, a.outcome, a.detail, a.intent, a.revision)::text AS text,
       encode(c.items, 'hex') AS items FROM pgsteward.audit_log a JOIN pgsteward.audit_chain c ON c.last >= a.id AND c.items <> '' WHERE a.id = 1 ORDER BY c.link LIMIT 1`,
    'home',
  );
  expect(row?.items.slice(16, 80)).toBe(
    createHash('sha256')
      .update(row?.text ?? '')
      .digest('hex'),
  );
  const { rows } = {
    rows: await server.query<{ columns: number }>(
      `SELECT count(*)::int AS columns FROM pg_attribute WHERE attrelid = 'pgsteward.audit_log'::regclass AND attnum > 0 AND NOT attisdropped`,
      'home',
    ),
  };
  // A column that is added later has to be hashed as well.
  expect(rows).toEqual([{ columns: COLUMNS.split(',').length }]);
});
