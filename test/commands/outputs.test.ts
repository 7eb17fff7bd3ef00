// What the verbs say, as golden files, of one server, one document and one saved plan. UPDATE=1 writes them anew.
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneLine } from '../../src/document/show.ts';
import { createStatus } from '../../src/observe/status.ts';
import { EMPTY } from '../../src/steward/report-parts.ts';
import { expectGolden } from '../support/golden.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { type Called, callHere } from './call.ts';

/** A name that is a path, markup, SQL and a command to a terminal. */
const ODD = 'o"d → a|b`c`<i>@me; DROP\n\u001B[2J\u202E';

const DOCUMENT = `users:
  - username: alice
    database: shop
    roles: [reader]
    password: none
  - username: bob
    database: shop
    roles: [writer, gone]
    password: none
    connectionLimit: 5
roles:
  - name: reader
    grants: [{database: shop, schemas: [hr], tables: {'*': [SELECT]}}]
  - name: writer
    memberOf: [reader]
    grants: [{database: shop, schemas: [hr], tables: {payroll: [INSERT, UPDATE]}}]
  - name: ${JSON.stringify(ODD)}
    memberOf: [reader]
databases:
  - {name: shop, owner: boss}
  - {name: later, owner: boss, create: true}
`;
const BROKEN = `users:
  - {username: alice, rols: [reader]}
  - {username: alice}
  - {username: ${JSON.stringify(ODD)}, validUntil: 2020-01-01, passwordSecretRef: {nam: x}}
roles: [{name: reader, memberOf: [reader]}]
`;

let server: Postgres;
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  // What is said of older ones differs in privileges and grants; it is proved elsewhere.
  server = await startPostgres({ major: 18 });
  folder = scratch('outputs');
  chmodSync(folder, 0o755);
  writeFileSync(at('users.yaml'), DOCUMENT);
  writeFileSync(at('broken.yaml'), BROKEN);
  await server.query('CREATE ROLE boss; CREATE ROLE reader; CREATE ROLE sealed NOINHERIT LOGIN; CREATE ROLE alice LOGIN; CREATE ROLE definer');
  await server.query(`CREATE ROLE ${quoted(ODD)} LOGIN; GRANT reader TO ${quoted(ODD)}; GRANT reader TO alice; GRANT reader TO sealed`);
  await server.query('CREATE DATABASE shop OWNER boss');
  await server.query(
    `REVOKE ALL ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO alice, sealed; DROP SCHEMA public; SET ROLE boss;
     CREATE SCHEMA hr; CREATE TABLE hr.payroll (id int, salary int); CREATE TABLE hr.people (id int); CREATE SEQUENCE hr.s;
     GRANT USAGE ON SCHEMA hr TO reader, definer; GRANT SELECT ON hr.payroll, hr.people TO reader; GRANT SELECT (id) ON hr.people TO sealed; GRANT DELETE ON hr.people TO alice WITH GRANT OPTION;
     GRANT SELECT ON hr.payroll TO definer; CREATE VIEW hr.v AS SELECT * FROM hr.payroll; GRANT SELECT ON hr.v TO sealed`,
    'shop',
  );
});
afterAll(() => server.stop());

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Called with the settings of the server; whatever differs from run to run is replaced. */
async function called(...args: readonly string[]): Promise<Called> {
  const found = await callHere(args, '', {
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.user,
    DB_PASS: server.password,
    DB_SSLMODE: 'disable',
    STATE_FILE: at('.state.json'),
    EVENT_TRIGGERS: 'off',
  });
  expectNoSecrets(found.stdout + found.stderr, args.join(' '));
  // Names are no commands to a terminal, in no output.
  expect(found.stdout + found.stderr).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}]/u);
  return { ...found, stdout: fixed(found.stdout), stderr: fixed(found.stderr) };
}
const fixed = (text: string): string =>
  text
    .replaceAll(folder, 'DIR')
    .replaceAll(server.host, 'HOST')
    .replaceAll(String(server.port), 'PORT')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/PostgreSQL \d+/g, 'PostgreSQL N')
    .replaceAll(/"major": \d+/g, '"major": "N"')
    .replaceAll(/"systemIdentifier": "\d+"/g, '"systemIdentifier": "ID"')
    // Below 16 it is the member that inherits.
    .replaceAll('(sealed is NOINHERIT)', '(INHERIT FALSE)');

const asText = (args: readonly string[], { code, stdout, stderr }: Called): string =>
  `$ pgsteward ${args.map((word) => oneLine(fixed(word))).join(' ')}\n${stdout}${stderr === '' ? '' : `--- on standard error\n${stderr}`}--- exit code ${code}\n`;

async function golden(name: string, ...calls: readonly (readonly string[])[]): Promise<void> {
  const texts: string[] = [];
  for (const args of calls) texts.push(asText(args, await called(...args)));
  expectGolden(`${name}.golden`, texts.join('\n'));
}

const FORMATS = ['text', 'json'] as const;

describe.each(['text', 'json', 'markdown', 'sql'])('a plan as %s', (format) => {
  it('is as in the golden file, also as it is shown from where it was saved', async () => {
    const plan = ['plan', '--document', at('users.yaml'), '--without-secrets', '-o', format];
    await golden(`live-plan.${format}`, [...plan, '--out', at(`${format}.plan`)], ['validate', at('users.yaml')]);
    const [made, shown] = [await called(...plan), await called('show', at(`${format}.plan`), '-o', format)];
    expect(shown).toEqual(made);
  });
});

it.each(FORMATS)('explain as %s', (format) =>
  golden(
    `explain.${format}`,
    ['explain', '-o', format, '--document', at('users.yaml'), 'alice', 'SELECT', 'shop.hr.payroll'],
    ['explain', '-o', format, 'sealed', 'SELECT', 'shop.hr.payroll'],
    ['explain', '-o', format, 'sealed', 'SELECT', 'shop.hr.people'],
    ['explain', '-o', format, quoted(ODD), 'USAGE', 'schema', 'shop.hr'],
    ['explain', '-o', format, 'alice', 'CONNECT', 'database', 'shop'],
  ),
);

it.each(FORMATS)('who-can as %s', (format) =>
  golden(`who-can.${format}`, ['who-can', '-o', format, '--via-definer', 'SELECT', 'shop.hr.payroll'], ['who-can', '-o', format, 'SELECT', 'shop.hr.people']),
);

it.each(FORMATS)('what-can as %s', (format) =>
  golden(`what-can.${format}`, ...['alice', 'sealed', quoted(ODD), 'postgres'].map((role) => ['what-can', '-o', format, '--in', 'shop', role])),
);

it('import', () => golden('import.text', ['import', '--databases', 'shop', '--roles', 'alice,reader,sealed,boss,definer', '--adopt-plan']));

it.each(['text', 'json', 'github'])('validate as %s', (format) =>
  golden(`validate.${format}`, ['validate', '-o', format, at('broken.yaml')], ['validate', '-o', format, at('users.yaml')]),
);

it.each(FORMATS)('status as %s', async (format) => {
  const status = createStatus({ source: `directory ${ODD}`, dryRun: false, patience: 600_000 });
  status.setRole('writer');
  const revoke = { kind: 'disable_role', role: ODD, keep: true } as const;
  status.record({ ...EMPTY, result: 'incomplete', planned: [revoke], notices: [{ kind: 'failed', subject: ODD, message: 'it failed' }] });
  const daemon = createServer((_, response) => void response.end(JSON.stringify(status.toJson())));
  await new Promise<void>((done) => daemon.listen(0, '127.0.0.1', done));
  try {
    const port = String((daemon.address() as AddressInfo).port);
    const args = ['status', '-o', format, '--url', `http://127.0.0.1:${port}`];
    const text = asText(args, await called(...args)).replaceAll(port, 'PORT');
    expectGolden(`status.${format}.golden`, text.replaceAll(/"(version|uptimeSeconds|\w*Seconds)": ?[^,\n]+/g, '"$1": "…"'));
  } finally {
    daemon.closeAllConnections();
    daemon.close();
  }
});
