// Gifts: what changes of a plan give, link by link. What only takes away gives nothing.
import type { Change } from '../changes/change.ts';
import type { FollowedRule } from '../changes/trigger.ts';
import { ownName, type ObjectName, PUBLIC } from '../model/contents.ts';
import type { Role } from '../model/cluster.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { DATABASE_OWNER, linksOf } from '../explain/links.ts';
import type { Guarded } from './guarded.ts';
import type { GuardState } from './state.ts';

export type Gift =
  /** Privileges on objects, of which `names` are those that there are or will be. */
  | {
      readonly what: 'access';
      readonly database: string;
      readonly kind: ObjectKind;
      readonly schema: string;
      readonly names: readonly ObjectName[];
      readonly role: string;
      readonly privileges: readonly string[];
      /** By being its owner. */
      readonly owns: boolean;
    }
  /** Privileges on objects that nobody has made yet: patterns. */
  | (FollowedRule & {
      readonly what: 'to come';
      readonly database: string;
      /** Other rules for the same role. */
      readonly beside: readonly FollowedRule[];
    })
  /** A membership, or options of one, that was not there. @see Link */
  | { readonly what: 'link'; readonly member: string; readonly role: string; readonly inherit: boolean; readonly set: boolean; readonly database?: string }
  | { readonly what: 'login'; readonly role: string };

/** What a change gives. @param state the server as it is. @param planned all changes of the plan. */
export function giftsOf(change: Change, state: GuardState, planned: readonly Change[]): readonly Gift[] {
  switch (change.kind) {
    case 'grant_privilege': {
      const { on, role, privileges } = change;
      const one = { what: 'access', kind: on.object, schema: on.schema, role, privileges, owns: false } as const;
      if (on.object !== 'database') return [{ ...one, database: on.database, names: on.names }];
      return on.names.map((name) => ({ ...one, database: ownName(name), names: [name] }));
    }
    case 'grant_default_privilege': {
      const { database, object: kind, schema, role, privileges } = change;
      return [
        {
          what: 'to come',
          database,
          kind,
          schema: schema === '' ? '*' : schema,
          name: '*',
          column: '*',
          role,
          privileges,
          rank: 0,
          implied: false,
          beside: [],
        },
      ];
    }
    case 'install_event_trigger':
    case 'sync_trigger_rules':
      return [...Map.groupBy(change.following, ({ role }) => role).values()].flatMap((beside) =>
        beside.map((rule): Gift => ({ what: 'to come', database: change.database, beside, ...rule })),
      );
    case 'create_schema':
      return [owned(change.database, 'schema', change.schema, change.owner ?? state.admin)];
    case 'alter_schema_owner':
      return [owned(change.database, 'schema', change.schema, change.owner)];
    case 'create_database':
      return [
        owned(change.database, 'database', change.database, change.owner ?? state.admin),
        ...publicly(change.database, planned),
        ...ofPublicSchema(change.database, change.owner ?? state.admin, state.major),
      ];
    case 'alter_database_owner':
      return handedOver(change.database, change.owner);
    case 'release_owned':
      return change.heir === undefined ? [] : inherited(change.database, change.role, change.heir, state);
    default:
      return ofRoles(change, state);
  }
}

/** Of memberships and attributes. */
function ofRoles(change: Change, state: GuardState): readonly Gift[] {
  if (change.kind === 'grant_membership') return linked(change.member, change.role, change.inherit, change.set, state);
  if (change.kind === 'create_role') return change.attributes.login ? [{ what: 'login', role: change.role }] : [];
  if (change.kind === 'set_password') return change.opens?.login === true ? [{ what: 'login', role: change.role }] : [];
  if (change.kind !== 'alter_role') return [];
  const { login, inherit } = change.attributes;
  const { ofMember } = linksOf(state.realmOf(''));
  return [
    ...(login === true ? [{ what: 'login', role: change.role } as const] : []),
    // Below 16 it is the member that inherits, from all of its roles.
    ...(inherit === true && state.major < 16
      ? (ofMember.get(change.role) ?? []).map(({ role }) => ({ what: 'link', member: change.role, role, inherit: true, set: false }) as const)
      : []),
  ];
}

/** What a membership adds to the one that there is. */
function linked(member: string, role: string, inherit: boolean, set: boolean, state: GuardState): readonly Gift[] {
  const before = linksOf(state.realmOf(''))
    .ofMember.get(member)
    ?.find((link) => link.role === role);
  // Below 16 there are no options: whether it inherits is said of the member, who may not be there yet.
  const isNew = { inherit: inherit && before?.inherit !== true, set: (set || state.major < 16) && before?.set !== true };
  return isNew.inherit || isNew.set ? [{ what: 'link', member, role, ...isNew }] : [];
}

const owned = (database: string, kind: 'schema' | 'database', name: string, role: string): Gift => ({
  what: 'access',
  database,
  kind,
  schema: '',
  names: [name],
  role,
  privileges: Object.keys(KINDS[kind].privileges),
  owns: true,
});

/** A database, and with it what belongs to whoever owns it. */
const handedOver = (database: string, owner: string): readonly Gift[] => [
  owned(database, 'database', database, owner),
  { what: 'link', member: owner, role: DATABASE_OWNER, inherit: true, set: true, database },
];

/** What a new database gives everybody by itself, unless the same plan takes it back. */
function publicly(database: string, planned: readonly Change[]): readonly Gift[] {
  const taken = new Set(
    planned.flatMap((change) =>
      change.kind === 'revoke_privilege' &&
      change.role === PUBLIC &&
      change.on.object === 'database' &&
      change.on.names.some((name) => ownName(name) === database)
        ? change.privileges
        : [],
    ),
  );
  const privileges = ['CONNECT', 'TEMPORARY'].filter((privilege) => !taken.has(privilege));
  return privileges.length === 0 ? [] : [{ what: 'access', database, kind: 'database', schema: '', names: [database], role: PUBLIC, privileges, owns: false }];
}

/** What comes with the schema public of a new database: from 15 on it belongs to the owner of the database, below everybody may create in it. */
const ofPublicSchema = (database: string, owner: string, major: number): readonly Gift[] => [
  ...(major >= 15 ? [owned(database, 'schema', 'public', owner)] : []),
  {
    what: 'access',
    database,
    kind: 'schema',
    schema: '',
    names: ['public'],
    role: PUBLIC,
    privileges: major >= 15 ? ['USAGE'] : ['USAGE', 'CREATE'],
    owns: false,
  },
];

/** What somebody owns goes to an heir: in that database, and databases wherever it is said. */
function inherited(database: string, from: string, heir: string, { guarded, databases }: GuardState): readonly Gift[] {
  const reading = guarded.get(database);
  const definers = reading?.kind === 'read' && reading.guarded.definers?.kind === 'read' ? reading.guarded.definers : { relations: [], functions: [] };
  const groups: Guarded['groups'] = reading?.kind === 'read' ? [...reading.guarded.groups, ...definers.relations, ...definers.functions] : [];
  const shared = [...databases.values()].flatMap(({ name, owner }) => (owner === from ? handedOver(name, heir) : []));
  const inside = groups
    .filter(({ owner }) => owner === from)
    .map(({ kind, schema, names }): Gift => ({
      what: 'access',
      database,
      kind,
      schema,
      names,
      role: heir,
      privileges: Object.keys(KINDS[kind].privileges),
      owns: true,
    }));
  return [...shared, ...inside];
}

/** The roles as they are when everything is given. */
export function rolesAfter(roles: ReadonlyMap<string, Role>, changes: readonly Change[]): ReadonlyMap<string, Role> {
  const after = new Map(roles);
  for (const change of changes) {
    if (change.kind === 'create_role') after.set(change.role, { ...NEW_ROLE, ...change.attributes, name: change.role });
    const one = 'role' in change ? after.get(change.role) : undefined;
    if (one === undefined) continue;
    if (change.kind === 'alter_role')
      after.set(one.name, { ...one, login: one.login || change.attributes.login === true, inherit: one.inherit || change.attributes.inherit === true });
    if (change.kind === 'set_password' && change.opens?.login === true) after.set(one.name, { ...one, login: true });
  }
  return after;
}

/** A role as it is made. */
export const NEW_ROLE: Omit<Role, 'name' | 'login'> = {
  inherit: true,
  superuser: false,
  createdb: false,
  createrole: false,
  replication: false,
  bypassrls: false,
  connectionLimit: -1,
  validUntil: null,
  comment: null,
  settings: new Map(),
};
