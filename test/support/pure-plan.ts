// Plans without a server: a catalog as values, and what a document makes of it.
import { type Catalog, type ManagedRole, NOWHERE } from '../../src/model/catalog.ts';
import type { Document } from '../../src/model/entries.ts';
import { atOnce, type InParts } from '../../src/model/in-parts.ts';
import type { Membership, Role } from '../../src/model/cluster.ts';
import { planOf } from '../../src/plan/plan.ts';
import { NO_RENAMING } from '../../src/plan/renaming.ts';
import type { DatabaseReading } from '../../src/plan/privileges/privileges-plan.ts';
import type { ObjectGroup } from '../../src/model/contents.ts';
import { NO_TRIGGER } from '../../src/model/trigger-state.ts';
import type { Plan, PlanInput } from '../../src/plan/plan-input.ts';

const SOURCE = 'postgres/postgres-users-config';

const role = (name: string, more: Partial<Role> = {}): Role => ({
  name,
  login: false,
  inherit: true,
  superuser: false,
  replication: false,
  createdb: false,
  createrole: false,
  bypassrls: false,
  connectionLimit: -1,
  validUntil: null,
  comment: null,
  settings: new Map(),
  ...more,
});

const managed = (name: string): ManagedRole => ({
  name,
  entity: 'role',
  origin: 'created',
  source: SOURCE,
  oid: 0,
  place: NOWHERE,
  status: 'active',
  deletionPolicy: null,
  witness: null,
  privileges: false,
  drain: null,
  disabledAt: null,
});

/** A server with these roles, all of them ours, beside the superuser that we log in as. */
export function catalogOf(roles: readonly string[], memberships: readonly (readonly [role: string, member: string])[]): Catalog {
  const database = { owner: 'postgres', encoding: 'UTF8', allowsConnections: true, isTemplate: false, publicConnect: true, mayGrant: true };
  return {
    server: {
      major: 18,
      encoding: 'UTF8',
      admin: 'postgres',
      superuser: true,
      createrole: true,
      grantor: 'postgres',
      scramIterations: 4096,
      readsVerifiers: true,
      now: 0,
      place: NOWHERE,
    },
    cluster: {
      roles: new Map([role('postgres', { superuser: true }), ...roles.map((name) => role(name))].map((one) => [one.name, one])),
      memberships: memberships.map(([name, member]): Membership => ({ role: name, member, grantor: 'postgres', admin: false, inherit: true, set: true })),
      grants: [],
    },
    bootstrap: 'postgres',
    shared: [],
    triggerDatabases: new Set(),
    granted: new Set(),
    oids: new Map(roles.map((name, index) => [name, 20_000 + index])),
    databases: new Map([['postgres', { name: 'postgres', ...database }]]),
    verifiers: new Map(),
    parameters: new Map(),
    managed: new Map(roles.map((name) => [name, managed(name)])),
    recognised: [],
    unsure: new Map(),
    absent: new Map(),
    dependencies: new Map(),
    sessions: new Map(),
    counted: [],
    leaving: [],
  };
}

/** The catalog with one more database, and what was read in it. */
export function withDatabase(catalog: Catalog, name: string, groups: readonly ObjectGroup[]): readonly [Catalog, ReadonlyMap<string, DatabaseReading>] {
  const facts = { name, owner: 'postgres', encoding: 'UTF8', allowsConnections: true, isTemplate: false, publicConnect: true, mayGrant: true };
  const contents = { name, groups, defaults: [], creators: new Map(), extensions: new Map(), trigger: NO_TRIGGER, strays: [] };
  return [{ ...catalog, databases: new Map([...catalog.databases, [name, facts]]) }, new Map([[name, { kind: 'read', contents }]])];
}

/** What the operator lets these plans do. */
export const policyOfPlans = {
  revokes: 'apply',
  triggers: 'auto',
  law: {
    source: SOURCE,
    adminLogin: 'postgres',
    protectedRoles: new Set(),
    allowedRoles: new Set(),
    allowedExtensions: new Set(),
    allowedSettings: new Set(),
  },
  removal: { source: SOURCE, policy: 'drop', maxDeletions: undefined, reassignTo: undefined, reassignToPowerful: undefined, drain: 'off' },
  defaultDatabase: 'postgres',
} satisfies Partial<PlanInput>;

/** What a cycle would do. */
export const planFor = (document: Document, catalog: Catalog, readings?: ReadonlyMap<string, DatabaseReading>): Plan =>
  atOnce(planInParts(document, catalog, readings));

/** The same in parts, as the daemon makes it. */
export const planInParts = (document: Document, catalog: Catalog, readings: ReadonlyMap<string, DatabaseReading> = new Map()): InParts<Plan> =>
  planOf(inputOfPlans(document, catalog, readings));

/** What such a plan is made from. */
export const inputOfPlans = (document: Document, catalog: Catalog, readings: ReadonlyMap<string, DatabaseReading> = new Map()): PlanInput => ({
  document,
  catalog,
  readings,
  passedOn: new Map(),
  ...policyOfPlans,
  adminDatabase: 'postgres',
  renaming: NO_RENAMING,
  withoutSecret: new Map(),
  secrets: { create: [], rotate: [], rotationDue: new Map(), write: [], told: new Map(), notices: [] },
  passwords: new Map(),
  isDeferred: () => false,
  anyDeferred: false,
});
