// Malformed input on a real server: none of the broken documents removes or changes a user that an earlier document or a neighbour defined.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { BROKEN_DOCUMENTS } from '../corpus/broken-documents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
const fingerprint = () =>
  server.query(`SELECT a.oid, a.rolname, a.rolcanlogin, a.rolpassword, a.rolconnlimit, a.rolvaliduntil, (SELECT array_agg(roleid ORDER BY roleid) FROM pg_auth_members WHERE member = a.oid) AS roles,
    (SELECT array_agg(setconfig::text) FROM pg_db_role_setting WHERE setrole = a.oid) AS settings FROM pg_authid a WHERE rolname !~ '^pg_' ORDER BY 1`);
beforeAll(async () => {
  server = await startPostgres();
  steward = await createSteward(server);
  steward.manifests.users(['keeper', 'victim'].map((username) => ({ username, roles: ['team'] })));
  steward.manifests.secrets(
    new Map([
      ['keeper', 'k'],
      ['victim', 'v'],
    ]),
  );
  await steward.cycle();
});
afterAll(async () => {
  await steward.close();
  await server.stop();
});

const put = (document: string | Uint8Array): void => {
  const content =
    typeof document === 'string' && document.isWellFormed()
      ? { data: { 'users.yaml': document } }
      : { binaryData: { 'users.yaml': Buffer.from(document).toString('base64') } };
  writeFileSync(join(steward.manifests.folder, 'configmap.yaml'), stringify({ kind: 'ConfigMap', metadata: { name: 'postgres-users-config' }, ...content }));
};

it('there are at least sixty of them', () => expect(BROKEN_DOCUMENTS.size).toBeGreaterThanOrEqual(60));

it.each([...BROKEN_DOCUMENTS])('%s', async (_idea, document) => {
  const before = await fingerprint();
  put(document);
  const report = await steward.cycle();
  expect(report.problems.filter((problem) => problem.severity === 'error').length).toBeGreaterThan(0);
  for (const problem of report.problems) expect(problem.position.line).toBeGreaterThan(0);
  expect(await fingerprint()).toEqual(before);
  // A new process has no earlier document to stand on, only the ledger.
  const fresh = await createSteward(server, {}, steward.manifests);
  await fresh.cycle();
  expect(await fingerprint()).toEqual(before);
});
