// The proof: what `import` prints is planned to nothing, applied it changes no ACL by a byte, and the plan after it is empty as well.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { PlanView } from '../../../src/commands/plan-view.ts';
import { callHere } from '../../commands/call.ts';
import type { Postgres } from '../../support/postgres.ts';
import { scratch } from '../../support/scratch.ts';
import { createSteward } from '../../support/steward.ts';
import { everythingOn } from '../importing.ts';

/** What pgsteward keeps for itself. */
const ownKinds = new Set(['install_event_trigger', 'update_event_trigger']);

/** Proves it, and tells the figures. @param env settings beside the connection. */
export async function proveFixedPoint(name: string, server: Postgres, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const before = await everythingOn(server);
  const settings = { DB_HOST: server.host, DB_PORT: String(server.port), DB_USER: server.user, DB_PASS: server.password, MAX_OBJECTS: '1000000', ...env };
  const imported = await callHere(['import'], '', settings);
  const file = join(process.env['KEEP'] ?? scratch('import'), `${name}.yaml`);
  writeFileSync(file, imported.stdout);
  if (process.env['KEEP'] !== undefined) writeFileSync(`${file}.said`, imported.stderr);
  tellFigures(name, imported.stdout, imported.stderr, distinctEntries(before.acls));
  expect(imported.code, imported.stderr).toBe(0);
  expect(imported.stderr).toContain('a plan for this document is empty\n');

  const plan = async (): Promise<void> => {
    const { code, stdout, stderr } = await callHere(['plan', '--document', file, '--without-secrets', '-o', 'json'], '', settings);
    const { changes } = JSON.parse(stdout === '' ? '{"changes":[]}' : stdout) as Pick<PlanView, 'changes'>;
    expect({ code, stderr, changes: changes.filter(({ kind }) => !ownKinds.has(kind)) }).toEqual({ code: 0, stderr: '', changes: [] });
  };
  await plan();

  const steward = await createSteward(server, { MAX_OBJECTS: '1000000', ...env });
  steward.manifests.users(imported.stdout);
  const report = await steward.cycle();
  expect(report.error).toBeUndefined();
  expect(report.outcomes.filter(({ result }) => result !== 'applied')).toEqual([]);
  expect(await everythingOn(server)).toEqual(before);
  await steward.close();
  await plan();
}

/** How long the document is, and how much of it says all that a role holds. */
function tellFigures(name: string, document: string, said: string, entries: number): void {
  const lines = document.split('\n').length - 1;
  const entriesOfRoles = document.match(/^ *- (username|name): /gm)?.length ?? 0;
  const additive = document.match(/grantsMode: additive/g)?.length ?? 0;
  const left = said.split('\n').filter((line) => line.includes(': is left out: ')).length;
  process.stdout.write(
    `${name}: ${lines} lines for ${entries} entries of ACLs; ${entriesOfRoles} entries, ${additive} of them additive; ${left} roles are left out\n`,
  );
}

/** How many entries the ACLs have, each once: what all databases share is in the list for each. */
const distinctEntries = (acls: readonly string[]): number =>
  [...new Set(acls.map((line) => line.replace(/^[^:]*: (?=pg_database |pg_tablespace )/, '')))].reduce((sum, line) => sum + entriesOf(line).size, 0);

const entriesOf = (line: string): ReadonlySet<string> => new Set(line.match(/[^{,]*=[a-zA-Z*]*\/[^},]*/g));
