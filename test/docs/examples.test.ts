// Every example of docs/privileges.md does what the page says, and docs/examples.md shows the very documents that the tests run.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from '../../src/document/parse.ts';
import { planLines } from '../../src/changes/plan-lines.ts';
import { KINDS, OBJECT_KINDS } from '../../src/model/kinds.ts';
import { ROOT } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, ddlOf, resetServer } from '../support/steward.ts';

const page = readFileSync(join(ROOT, 'docs/privileges.md'), 'utf8');
const setup = /```sql\n(.*?)```/s.exec(page)?.[1] ?? '';
const examples = page.split(/^### /m).flatMap((section) => {
  const [, document, lines] = /```yaml\n(.*?)```\n\n```text\n(.*?)```/s.exec(section) ?? [];
  if (document === undefined || lines === undefined) return [];
  const whole = document.includes('users:') ? document : `${document}users: [{username: somebody, login: false}]\n`;
  return [{ title: section.split('\n')[0] ?? '', document: whole, lines: lines.trim().split('\n') }];
});

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(() => resetServer(server));

/** What the page says that the operator has set. */
const SETTINGS = { ALLOWED_SETTINGS: 'log_min_duration_statement' };

describe('the page of privileges', () => {
  it('shows the whole form, and it is valid', () => {
    const whole = /## The whole form\n\n```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
    expect(parseDocument(Buffer.from(whole), 'users.yaml').problems).toEqual([]);
  });

  it('has every kind with every privilege, and an example of each', () => {
    for (const kind of OBJECT_KINDS) {
      const { key, privileges } = KINDS[kind];
      const row = page
        .split('\n')
        .find((line) => line.startsWith(`| \`${key ?? (kind === 'schema' ? 'schemas' : 'databasePrivileges')}\` | ${Object.keys(privileges)[0] ?? ''}`));
      for (const [privilege, since] of Object.entries(privileges)) expect(row, kind).toContain(since > 14 ? `${privilege} (${since})` : privilege);
      if (key !== undefined)
        expect(
          examples.some(({ document }) => document.includes(`${key}:`)),
          key,
        ).toBe(true);
    }
    expect(examples.length).toBeGreaterThanOrEqual(11);
  });

  it.each(examples)('is right about: $title', async ({ document, lines }) => {
    await server.query('CREATE ROLE shop_owner');
    await server.query('CREATE DATABASE shop OWNER shop_owner');
    const client = await server.client('shop');
    await client.query(`SET ROLE shop_owner; ${setup}`);
    await client.end();
    const preview = await createSteward(server, { DRY_RUN: 'true', ...SETTINGS });
    preview.manifests.users(document);
    const { planned, notices } = await preview.cycle();
    const said = [
      ...planLines(planned).filter((line) => / on .* (to|from): /.test(line) && !line.endsWith(' to: somebody')),
      ...notices.map((notice) => `${notice.kind}: ${notice.message}`),
    ];
    expect(said).toEqual(lines);
    await preview.close();
    const steward = await createSteward(server, SETTINGS);
    steward.manifests.users(document);
    expect((await steward.cycle()).result).toBe('changed');
    server.mark();
    expect((await steward.cycle()).result).toBe('converged');
    expect(ddlOf(server.log())).toEqual([]);
    await steward.close();
  });
});

it('the examples are the documents that the tests run', () => {
  const folder = join(ROOT, 'test/corpus/cases');
  const shown = readFileSync(join(ROOT, 'docs/examples.md'), 'utf8');
  for (const name of readdirSync(folder)) expect(shown, name).toContain(readFileSync(join(folder, name, 'users.yaml'), 'utf8').replace(/^#.*\n/, ''));
});
