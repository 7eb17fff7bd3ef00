// A cycle that is followed: the state that it leaves on the server is the one that its changes leave in values.
import { expect } from 'vitest';
import { afterChanges } from '../../src/access/after.ts';
import type { AccessState } from '../../src/access/state.ts';
import { type Change, sentenceOf } from '../../src/changes/change.ts';
import type { Config } from '../../src/config.ts';
import type { Role } from '../../src/model/cluster.ts';
import type { AclEntry } from '../../src/model/contents.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { readAccess } from '../../src/steward/read-access.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverOf } from '../../src/steward/server.ts';
import type { Steward } from '../support/steward.ts';

/** Everything that decides on access. */
export async function accessOf(config: Config): Promise<AccessState> {
  const connections = createConnections(config.server, () => undefined);
  try {
    const { state, unread } = await readAccess(serverOf(config, connections), () => true);
    expect([...unread]).toEqual([]);
    return state;
  } finally {
    await connections.close();
  }
}

/** Runs a cycle and compares. @returns its report. */
export async function followedCycle(steward: Pick<Steward, 'config' | 'cycle'>): Promise<CycleReport> {
  const before = await accessOf(steward.config);
  const text = JSON.stringify(plainState(before));
  const report = await steward.cycle();
  const changes = report.outcomes.flatMap(({ change, result }): Change[] => (result === 'applied' ? [change] : []));
  const after = plainState(await accessOf(steward.config));
  try {
    expect(plainState(afterChanges(before, changes))).toEqual(after);
  } catch (error) {
    if (error instanceof Error) error.message = `${error.message}\n\nChanges:\n${changes.map((change) => `${change.kind}: ${sentenceOf(change)}`).join('\n')}`;
    throw error;
  }
  expect(JSON.stringify(plainState(before))).toBe(text);
  return report;
}

const entriesOf = (entries: readonly AclEntry[]): readonly string[] =>
  entries.map(({ grantee, grantor, privilege, grantable }) => JSON.stringify([grantee, grantor, privilege, grantable])).toSorted();

type Groups = AccessState['shared'];

/** Object by object. A column without an ACL stands nowhere. */
const objectsOf = (groups: Groups): object =>
  Object.fromEntries(
    groups
      .filter(({ kind, untouched }) => kind !== 'column' || !untouched)
      .flatMap(({ kind, schema, owner, untouched, names, entries }) =>
        names.map((name): [string, object] => [JSON.stringify([kind, schema, name]), { owner, untouched, entries: entriesOf(entries) }]),
      )
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

const rowOf = ({ role, member, grantor, admin, inherit, set }: AccessState['memberships'][number]): string =>
  JSON.stringify([role, member, grantor, admin, inherit, set]);

const roleOf = ({ name, login, inherit, superuser, createdb, createrole, replication, bypassrls, connectionLimit, validUntil, comment }: Role): string =>
  JSON.stringify([name, login, inherit, superuser, createdb, createrole, replication, bypassrls, connectionLimit, validUntil, comment]);

/** A state in one form, whatever order and groups it is in. */
export const plainState = ({ roles, memberships, shared, databases, major, admin, grantor, bootstrap }: AccessState): object => ({
  facts: [major, admin, grantor, bootstrap],
  roles: [...roles.values()].map(roleOf).toSorted(),
  memberships: memberships.map(rowOf).toSorted(),
  shared: objectsOf(shared),
  databases: Object.fromEntries(
    [...databases].map(([name, { groups, defaults }]) => [
      name,
      {
        objects: objectsOf(groups),
        defaults: defaults.map(({ creator, schema, kind, entries }) => JSON.stringify([creator, schema, kind, entriesOf(entries)])).toSorted(),
      },
    ]),
  ),
});
