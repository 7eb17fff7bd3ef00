// What thousands of logins gain on the same thousands of objects is held once, and so is its SQL.
import { expect, it } from 'vitest';
import { accessDifference } from '../../src/access/difference.ts';
import type { AccessState } from '../../src/access/state.ts';
import type { Change } from '../../src/changes/change.ts';
import type { Role } from '../../src/model/cluster.ts';
import { privilegesOf } from '../../src/model/kinds.ts';

const LOGINS = Array.from({ length: 300 }, (_, index) => `u${index}`);
const TABLES = Array.from({ length: 2000 }, (_, index) => `t${index}`);

const role = (name: string, login: boolean): Role => ({
  name,
  login,
  inherit: true,
  superuser: name === 'postgres',
  createdb: false,
  createrole: false,
  replication: false,
  bypassrls: false,
  connectionLimit: -1,
  validUntil: null,
  comment: null,
  settings: new Map(),
});

const owns = (kind: 'table' | 'schema') =>
  privilegesOf(kind, 18).map((privilege) => ({ grantee: 'postgres', grantor: 'postgres', privilege, grantable: false }));

const STATE: AccessState = {
  major: 18,
  now: 0,
  admin: 'postgres',
  grantor: 'postgres',
  bootstrap: 'postgres',
  roles: new Map(['postgres', ...LOGINS].map((name) => [name, role(name, name !== 'postgres')])),
  memberships: [],
  shared: [],
  closed: new Set(),
  parameters: new Map(),
  databases: new Map([
    [
      'shop',
      {
        groups: [{ kind: 'table', schema: 'public', owner: 'postgres', names: TABLES, extension: false, untouched: true, entries: owns('table') }],
        defaults: [],
      },
    ],
  ]),
};

const grants = (names: readonly string[]): readonly Change[] =>
  LOGINS.map((login) => ({
    kind: 'grant_privilege',
    role: login,
    privileges: ['SELECT'],
    grantable: false,
    as: undefined,
    explained: false,
    on: { database: 'shop', object: 'table', schema: 'public', names, owner: 'postgres' },
  }));

it('says of each login what it gains, by one list of names for all of them', () => {
  const { gained, lost, more } = accessDifference(STATE, [...grants(TABLES.slice(0, 1500)), ...grants(TABLES.slice(1500))]);
  expect({ gained: gained.length, lost, more }).toEqual({ gained: LOGINS.length, lost: [], more: false });
  const [first] = gained;
  expect(first).toMatchObject({ role: 'u0', privileges: ['SELECT'], all: true, names: TABLES.toSorted() });
  expect(gained.every(({ names }) => names === first?.names)).toBe(true);
});
