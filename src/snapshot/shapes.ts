// The shapes of a snapshot's file: maps stand as pairs and sets as lists, sorted. Whoever reads one believes nothing beyond them.
import { z } from 'zod';
import type { Beside } from '../access/beside.ts';
import type { Policy } from '../explain/securable.ts';
import { LIMITS } from '../model/limits.ts';
import type { DatabaseFacts, Place, ServerFacts } from '../model/catalog.ts';
import type { ConnectGrant, Membership, Role } from '../model/cluster.ts';
import type { AclEntry, DatabaseContents, ObjectGroup, Routine } from '../model/contents.ts';
import { OBJECT_KINDS } from '../model/kinds.ts';
import type { TriggerState } from '../model/trigger-state.ts';
import type { PassedOn } from '../plan/removal/passed-on.ts';
import type { RecordedCatalog, RecordedRole } from './snapshot.ts';

/** Any text of the server: it holds no NUL, on which our own keys rely. */
const text = z
  .string()
  .max(LIMITS.settingsLength)
  .refine((value) => !value.includes('\0'), 'holds a NUL');
const oid = z.int().min(0).max(4_294_967_295);
const count = z.int().min(0);
const flag = z.boolean();
const list = <T extends z.ZodType>(item: T) => z.array(item).max(LIMITS.snapshotItems);

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const raw = list(z.unknown());

const setOf = z.codec(raw, z.set(text), { decode: (items) => new Set(items as string[]), encode: (items) => [...items].toSorted(byText) });

const mapOf = <T extends z.ZodType>(value: T) =>
  z.codec(list(z.tuple([text, z.unknown()])), z.map(text, value), {
    decode: (pairs) => new Map(pairs as [string, z.input<T>][]),
    encode: (pairs) => [...pairs].toSorted(([a], [b]) => byText(a, b)),
  });

/** JSON has no undefined. */
const orUndefined = <T extends z.ZodType>(value: T) => {
  const either = z.union([z.undefined(), value]);
  return z.codec(z.unknown(), either, { decode: (found) => (found ?? undefined) as z.input<typeof either>, encode: (found) => found ?? null });
};

/** The compiler asks for every field of the model. */
type ShapeOf<T> = { readonly [K in keyof T]-?: z.ZodType };

const kind = z.enum(OBJECT_KINDS);
const place = z.strictObject({ server: text.nullable(), ledger: oid.nullable() } satisfies ShapeOf<Place>);

const server = z.strictObject({
  major: z.int().min(14).max(99),
  admin: text,
  superuser: flag,
  createrole: flag,
  grantor: text,
  scramIterations: count,
  encoding: text,
  readsVerifiers: flag,
  now: z.number().min(0).max(8.64e15),
  place,
} satisfies ShapeOf<ServerFacts>);

const role = z.strictObject({
  name: text,
  login: flag,
  inherit: flag,
  superuser: flag,
  createdb: flag,
  createrole: flag,
  replication: flag,
  bypassrls: flag,
  connectionLimit: z.int(),
  validUntil: text.nullable(),
  comment: text.nullable(),
  settings: mapOf(mapOf(text)),
} satisfies ShapeOf<Role>);

const membership = z.strictObject({ role: text, member: text, grantor: text, admin: flag, inherit: flag, set: flag } satisfies ShapeOf<Membership>);
const connect = z.strictObject({
  object: z.strictObject({ kind: z.literal('database'), name: text }),
  grantee: text,
  grantor: text,
  privilege: z.literal('CONNECT'),
  grantable: flag,
} satisfies ShapeOf<ConnectGrant>);

/** It stands in SQL as it is. */
const privilege = z
  .string()
  .max(63)
  .regex(/^[A-Z]+(?: [A-Z]+)*$/);

const entry = z.strictObject({
  grantee: text,
  grantor: text,
  privilege,
  grantable: flag,
  lapsed: z.strictObject({ holds: flag }).exactOptional(),
} satisfies ShapeOf<AclEntry>);

const routine = z.strictObject({
  name: text,
  shown: text,
  types: list(z.strictObject({ schema: text, name: text })),
  modes: orUndefined(list(z.enum(['IN', 'OUT', 'INOUT', 'VARIADIC']))),
} satisfies ShapeOf<Routine>);

const group = z.strictObject({
  kind,
  schema: text,
  owner: text,
  names: list(z.union([text, z.strictObject({ table: text, column: text }), routine])),
  extension: flag,
  exactOnly: flag.exactOptional(),
  untouched: flag,
  entries: list(entry),
} satisfies ShapeOf<ObjectGroup>);

const contents = z.strictObject({
  name: text,
  groups: list(group),
  defaults: list(z.strictObject({ creator: text, schema: text, kind, entries: list(entry) })),
  creators: mapOf(list(text)),
  extensions: mapOf(text),
  trigger: z.strictObject({
    schema: z.enum(['missing', 'ours', 'foreign']),
    trigger: z.enum(['missing', 'current', 'outdated', 'disabled']),
    disabled: list(text),
    rules: orUndefined(text),
    // Rules of whom a document is silent about may have to stay.
    text: text.exactOptional(),
    tables: flag,
  } satisfies ShapeOf<TriggerState>),
  strays: list(z.strictObject({ role: text, what: text, count })),
} satisfies ShapeOf<DatabaseContents>);

const policy = z.strictObject({ name: text, command: text, permissive: flag, roles: list(text) } satisfies ShapeOf<Policy>);
const beside = z.strictObject({
  rowSecurity: list(z.strictObject({ schema: text, name: text, forced: flag, policies: list(policy) })),
  views: list(z.strictObject({ schema: text, name: text, invoker: flag, copy: flag, reads: list(z.strictObject({ schema: text, name: text })) })),
  definers: list(z.strictObject({ schema: text, name: text, shown: text })),
  largeObjects: text.nullable(),
  more: flag,
} satisfies ShapeOf<Beside>);

export const databaseShape = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('read'), contents, whole: flag, reason: orUndefined(text), beside: beside.exactOptional() }),
  z.strictObject({ kind: z.literal('unreadable'), reason: text }),
]);

const databaseFacts = z.strictObject({
  name: text,
  oid: oid.exactOptional(),
  owner: text,
  allowsConnections: flag,
  isTemplate: flag,
  encoding: text,
  publicConnect: flag,
  mayGrant: flag,
  exactOnly: flag.exactOptional(),
  // None is: what is planned is not recorded.
  planned: flag.exactOptional(),
} satisfies ShapeOf<DatabaseFacts>);

const managed = z.strictObject({
  name: text,
  entity: z.enum(['user', 'role']),
  origin: z.enum(['created', 'adopted']),
  source: text,
  document: text.exactOptional(),
  goneSince: text.optional(),
  oid,
  place,
  status: z.enum(['active', 'removing', 'disabled']),
  deletionPolicy: z.enum(['drop', 'disable', 'retain']).nullable(),
  witness: z.strictObject({ iterations: count, salted: flag, foreign: flag }).nullable(),
  privileges: flag,
  drain: text.nullable(),
  disabledAt: text.nullable(),
} satisfies ShapeOf<RecordedRole>);

const passedOn = z.strictObject({
  database: text,
  grantee: orUndefined(text),
  owner: orUndefined(text),
  isConnect: flag,
  objects: count,
  statements: list(text),
} satisfies ShapeOf<PassedOn>);

const catalog = z.strictObject({
  server,
  hasLedger: flag,
  bootstrap: text,
  cluster: z.strictObject({ roles: mapOf(role), memberships: list(membership), grants: list(connect) }),
  oids: mapOf(oid),
  passwords: mapOf(z.strictObject({ method: z.enum(['scram-sha-256', 'md5', 'other']), iterations: count }).nullable()),
  databases: mapOf(databaseFacts),
  shared: list(group),
  holders: mapOf(list(text)),
  parameters: mapOf(text),
  triggerDatabases: setOf,
  managed: mapOf(managed),
  dependencies: mapOf(list(z.strictObject({ database: text, objects: count, owned: mapOf(count), acls: count }))),
  sessions: mapOf(count),
} satisfies ShapeOf<RecordedCatalog>);

/** What stands beside format, version and databases. */
export const headShape = z.strictObject({
  takenAt: z.iso.datetime(),
  takenBy: text,
  serverVersion: text,
  systemIdentifier: text.nullable(),
  host: text,
  port: z.int().min(1).max(65_535),
  source: text,
  adminDatabase: text,
  defaultDatabase: text,
  ledger: orUndefined(z.strictObject({ kind: z.literal('prepare_ledger'), database: text, newSchema: flag, from: count, to: count })),
  catalog,
  passedOn: list(z.strictObject({ name: text, database: text, held: z.union([list(passedOn), z.strictObject({ unreadable: text })]) })),
});

export const snapshotShape = headShape.extend({ databases: mapOf(databaseShape) });
