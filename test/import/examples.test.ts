// The documents of the docs, applied and imported again: a plan for what comes out is empty, and where all of it can be said, it leads a server like the first one to the same ACLs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openCase } from '../privileges/case.ts';
import { ROOT } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer, type Steward } from '../support/steward.ts';
import { allAcls } from './all-acls.ts';
import { imported } from './importing.ts';

const page = readFileSync(join(ROOT, 'docs/privileges.md'), 'utf8');
const setup = /```sql\n(.*?)```/s.exec(page)?.[1] ?? '';
const examples = page.split(/^### /m).flatMap((section) => {
  const [, document] = /```yaml\n(.*?)```\n\n```text\n/s.exec(section) ?? [];
  // Before 15 the server knows no privileges on parameters.
  if (document === undefined || (document.includes('parameters:') && Number(process.env['PG_MAJOR'] ?? 18) < 15)) return [];
  return [
    { title: section.split('\n')[0] ?? '', document: document.includes('users:') ? document : `${document}users: [{username: somebody, login: false}]\n` },
  ];
});
/** A few of them; EXAMPLES=all takes every one. */
const some = <T>(all: readonly T[], every: number): readonly T[] => all.filter((_, index) => process.env['EXAMPLES'] === 'all' || index % every === 0);

const SETTINGS = { ALLOWED_SETTINGS: 'log_min_duration_statement' };

let one: Postgres;
let other: Postgres;
beforeAll(async () => {
  [one, other] = await Promise.all([startPostgres(), startPostgres()]);
});
afterAll(() => Promise.all([one.stop(), other.stop()]));
afterEach(() => Promise.all([resetServer(one), resetServer(other)]));

/** All ACLs of a server, with the entries of each in an order: who was granted first is nobody's business. */
async function aclsOf(server: Postgres): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { datname } of await server.query<{ datname: string }>('SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1')) {
    const client = await server.client(datname);
    found.push(
      ...(await allAcls(client)).map((line) => `${datname}: ${line.replace(/\{(.*)\}$/, (_, entries: string) => entries.split(',').toSorted().join(','))}`),
    );
    await client.end();
  }
  return found;
}

async function check(first: Steward, second: Steward, env: Readonly<Record<string, string>>): Promise<void> {
  expect(['changed', 'converged']).toContain((await first.cycle()).result);
  const { text, differences, problems, remarks } = await imported(one, { env });
  expect([...differences, ...problems], text).toEqual([]);
  // What such a role has beyond its document stays elsewhere too, and these servers begin with much of it.
  if (text.includes('grantsMode: additive')) return;
  second.manifests.users(text);
  const report = await second.cycle();
  expect(['changed', 'converged'], JSON.stringify([report.result, report.problems, report.notices])).toContain(report.result);
  expect(await aclsOf(other), `${text}\n${JSON.stringify(remarks, undefined, 1)}`).toEqual(await aclsOf(one));
}

it.each(some(examples, 6))('of privileges: $title', async ({ document }) => {
  for (const server of [one, other]) {
    await server.query('CREATE ROLE shop_owner');
    await server.query('CREATE DATABASE shop OWNER shop_owner');
    await server.query(`SET ROLE shop_owner; ${setup}`, 'shop');
  }
  const [first, second] = [await createSteward(one, SETTINGS), await createSteward(other, SETTINGS)];
  first.manifests.users(document);
  await check(first, second, SETTINGS);
  await first.close();
  await second.close();
});

it.each(some(readdirSync(join(ROOT, 'test/corpus/cases')), 5))('of the whole case %s', async (folder) => {
  const [first, second] = [await openCase(one, folder), await openCase(other, folder)];
  await check(first.steward(), second.steward(), {});
  await first.close();
  await second.close();
});
