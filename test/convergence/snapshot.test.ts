// A plan from a snapshot is the plan from the server: for every document of the corpus on hostile servers, and for the real cases of it.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planLines } from '../../src/changes/plan-lines.ts';
import { parseDocument } from '../../src/document/parse.ts';
import type { Document } from '../../src/model/entries.ts';
import { BROKEN_DOCUMENTS } from '../corpus/broken-documents.ts';
import { declare, openCase, read } from '../privileges/case.ts';
import { ROOT } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { bothPlans } from './both-plans.ts';
import { ASKS, furnish, live, PASSWORDS, USERS } from './furnished.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { max_locks_per_transaction: '256' },
  (started) => (server = started),
  () => steward,
);

const parsed = (text: string | Uint8Array): Document => parseDocument(typeof text === 'string' ? Buffer.from(text) : text, 'users.yaml', 'postgres');
const documentOf = (document: object): Document => parsed(JSON.stringify(document));

/** Whatever was in force goes. */
const NOBODY = documentOf({ users: [{ username: 'nobody' }] });

const CORPUS: readonly (string | Uint8Array)[] = [
  ...BROKEN_DOCUMENTS.values(),
  ...globSync('test/corpus/documents/*.yaml', { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file))),
];

const restrict = `CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT CREATE ON DATABASE postgres TO adm`;

describe.each([
  ['a superuser', {}],
  ['a CREATEROLE admin', { DB_USER: 'adm', DB_PASS: 'adm' }],
])('as %s', (_, env) => {
  it('is the same for documents that ask for little, much, and nothing any more, before and after they were in force', async () => {
    await server.query(restrict);
    await furnish(server);
    steward = await createSteward(server, env);
    const documents = ASKS.map(documentOf);
    for (const document of documents) expect(document.usable, JSON.stringify(document.problems)).toBe(true);
    const { plans } = await bothPlans(steward.config, documents);
    expect(plans.filter(({ changes }) => changes.length > 0).length).toBeGreaterThan(5);

    steward.manifests.users(USERS);
    steward.manifests.secrets(new Map(PASSWORDS));
    await steward.cycle();
    await live(server);
    const sessions = await Promise.all(
      ['alice', 'bob', 'carol'].map((user) => server.client('shop', { user, password: `the password of ${user}` }).catch(() => undefined)),
    );
    const after = await bothPlans(steward.config, documents);
    for (const session of sessions) await session?.end();
    const all = after.plans.map(({ changes, notices, blocked }) => [planLines(changes), notices, blocked.length]);
    for (const said of ['end 1 session(s)', 'session(s) go on until', 'have privileges from it', 'clear password of user', 'reassign what alice owns'])
      expect(JSON.stringify(all).includes(said), said).toBe(true);
  });

  it('is the same for every document of the corpus', async () => {
    await server.query(restrict);
    await furnish(server);
    steward = await createSteward(server, env);
    steward.manifests.users(['keeper', 'victim'].map((username) => ({ username, roles: ['team'] })));
    steward.manifests.secrets(
      new Map([
        ['keeper', 'the password of keeper'],
        ['victim', 'the password of victim'],
      ]),
    );
    await steward.cycle();
    const documents = CORPUS.map(parsed).filter(({ usable }) => usable);
    expect(documents.length).toBeGreaterThan(60);
    await bothPlans(steward.config, documents);
  });
});

it.each([
  ['admin-app', {}],
  ['brownfield', {}],
  ['kafka-connect', {}],
  ['permissions-roles-users', {}],
  ['web-runtime', { ALLOWED_ROLES: 'pg_read_all_data' }],
])('is the same for the case %s: before it is in force, then, when everything is taken back, and without its objects', async (folder, env) => {
  const current = await openCase(server, folder, { env });
  steward = current.steward();
  const document = parsed(read(folder, 'users.yaml'));
  const { plans } = await bothPlans(steward.config, [document, NOBODY]);
  expect(plans[0]?.changes.length).toBeGreaterThan(3);
  declare(steward, read(folder, 'users.yaml'));
  await steward.cycle();
  await steward.cycle();
  const after = await bothPlans(steward.config, [document, NOBODY]);
  expect(planLines(after.plans[0]?.changes ?? [])).toEqual([]);
  expect(after.plans[1]?.changes.length).toBeGreaterThan(2);
});
