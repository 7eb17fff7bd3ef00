// Document → desired Cluster: what the named users and roles should be on this server, and which of them are left as they are.
import type { Catalog } from '../model/catalog.ts';
import type { Entity } from '../changes/change.ts';
import type { Document, Position, RoleDeclaration, RoleEntry, Settings, UserEntry } from '../model/entries.ts';
import type { Law } from './law/law.ts';
import { ALL_DATABASES, type Cluster, type ConnectGrant, type Membership, membershipKey, type Role, type SettingMap } from '../model/cluster.ts';
import { declaredNames, namesIn, ownersOf } from '../model/named.ts';
import type { Notice } from '../changes/notice.ts';
import { isClosed } from './secrets/opening.ts';
import { homes, needConnects } from './desired-connects.ts';
import { refusedMemberships } from './refused-membership.ts';
import { renamedTo } from './renamed.ts';
import { declaredUserOf } from '../model/turns.ts';
import { saidName } from '../sql/sql-text.ts';

export interface DesiredInput {
  readonly document: Document;
  /** The document whose entries these are, or some of them. */
  readonly whole: Document;
  readonly catalog: Catalog;
  readonly law: Law;
  readonly defaultDatabase: string;
  /** Names that roles are to get and cannot now, and how they are called: their entries do nothing, and who is in them stays. */
  readonly held: ReadonlyMap<string, string>;
  /** Users whose Secret cannot be used, with the reason: they are not created, and of one that exists only the password stays as it is. */
  readonly withoutSecret: ReadonlyMap<string, string>;
}

export interface Desired {
  /** Only what is to be compared: a role that is kept as it was is not in it. */
  readonly cluster: Cluster;
  readonly entities: ReadonlyMap<string, Entity>;
  /** Every name that the document mentions, valid or not: none of them is removed. */
  readonly named: ReadonlySet<string>;
  /** Memberships that were refused, as `role\0member`: neither granted nor revoked. */
  readonly tolerated: ReadonlySet<string>;
  readonly notices: readonly Notice[];
}

/** What the document wants of this server. Pure; every entry that cannot be had leaves a notice and nothing else. */
export function desiredOf(input: DesiredInput): Desired {
  const { document, whole, catalog, law, held } = input;
  const roles = new Map<string, Role>();
  const memberships: Membership[] = [];
  const grants: ConnectGrant[] = [];
  const entities = new Map<string, Entity>();
  const tolerated = new Set<string>(document.sources?.tolerated);
  const notices: Notice[] = [];
  /** Those that are only named, and that somebody renamed. */
  const away = new Set<string>();
  const refusedMembership = refusedMemberships(catalog.cluster.memberships);
  const declared = declaredNames(whole);

  /** A role that is only named: made NOLOGIN where nobody has it. */
  const needBareRole = (name: string): void => {
    if (entities.has(name) || declared.has(name) || isWrong(name, input) || held.has(name) || law.refuseToManage(name) !== undefined) return;
    if (renamedTo(name, catalog) !== undefined) return void away.add(name);
    entities.set(name, 'role');
    roles.set(name, bareRole(name, catalog));
  };
  /** @param own the role that a user of our making stands in for: what holds of that one is decided there. */
  const needMemberships = (member: string, wanted: readonly RoleEntry[], own?: string): void => {
    for (const entry of wanted) {
      const former = held.get(entry.name);
      if (former !== undefined) {
        notices.push(awaitName(entry, member, former, tolerated));
        continue;
      }
      // Also for users of this very document: naming a superuser as a user must not make it a role that can be handed out.
      const refusal = entry.name === own ? undefined : law.refuseMembership(entry.name);
      if (refusal !== undefined) {
        notices.push(refusedMembership(entry, member, refusal, tolerated));
        continue;
      }
      memberships.push({
        role: entry.name,
        member,
        grantor: catalog.server.grantor,
        admin: entry.admin ?? false,
        inherit: entry.inherit ?? true,
        set: entry.set ?? true,
      });
      needBareRole(entry.name);
    }
  };

  for (const role of document.roles) {
    if (held.has(role.name)) continue;
    const keptBecause = reasonToKeepRole(role, input);
    if (keptBecause !== undefined) {
      notices.push(keptBecause);
      continue;
    }
    entities.set(role.name, 'role');
    roles.set(role.name, { ...bareRole(role.name, catalog), ...(role.comment === undefined ? {} : { comment: role.comment }) });
    needMemberships(role.name, role.memberOf ?? []);
  }
  for (const user of document.users) {
    if (held.has(user.username)) continue;
    const keptBecause = reasonToKeep(user, input);
    if (keptBecause !== undefined) {
      notices.push(keptBecause);
      continue;
    }
    const unknown = passwordUnknown(user, input);
    if (unknown !== undefined) notices.push(unknown);
    if (unknown !== undefined && !catalog.cluster.roles.has(user.username)) continue;
    entities.set(user.username, 'user');
    roles.set(user.username, userRole(user, input, notices));
    needMemberships(user.username, user.roles, user.turn?.of);
    needConnects(user, input, grants, notices);
  }
  // An owner that is there already belongs to whoever made it.
  for (const entry of document.databases)
    for (const owner of ownersOf(entry))
      // What an author says of a database makes no role that is not its own.
      if ((!catalog.cluster.roles.has(owner) || catalog.managed.has(owner)) && law.refuseOwnership(owner, entry.source) === undefined) needBareRole(owner);
  for (const name of away) notices.push(...renamedNotice(name, catalog));
  return { cluster: { roles, memberships, grants }, entities, named: namesIn(whole), tolerated, notices };
}

/** One whose own entry is wrong may be a user, and stays as it is. */
const isWrong = (name: string, { document, catalog }: DesiredInput): boolean => document.invalid.has(name) && catalog.cluster.roles.has(name);

/** A role has not got its name yet: who is in it stays there, and nobody gets into another one of that name. */
function awaitName({ name, position }: RoleEntry, subject: string, former: string, tolerated: Set<string>): Notice {
  for (const role of [former, name]) tolerated.add(membershipKey(role, subject));
  return { kind: 'pending', subject, position, message: `membership in ${name} waits until the role ${former} has that name` };
}

/** Why the entry of a role changes nothing this time. */
function reasonToKeepRole(role: RoleDeclaration, { catalog, law }: DesiredInput): Notice | undefined {
  const subject = role.name;
  const refusal = law.refuseToManage(subject);
  if (refusal !== undefined) return { kind: 'refused', subject, position: role.position, message: `the role is refused: ${refusal}` };
  return renamedNotice(subject, catalog, role.position)[0] ?? tooOldFor(role.memberOf ?? [], subject, catalog, 'the role');
}

/** One that is made anew under its name would leave the other one behind, with its login, password and privileges, and nobody would know of it. */
function renamedNotice(subject: string, catalog: Catalog, position?: Position): Notice[] {
  const now = renamedTo(subject, catalog);
  if (now === undefined) return [];
  const message = `somebody renamed it to ${now}, as the OID says; that one is still ours and keeps its login, password and privileges, so nothing is made under the name ${subject}. Rename it back: ALTER ROLE ${saidName(now)} RENAME TO ${saidName(subject)} (an MD5 password does not survive that); or declare it as ${now} with \`renamedFrom: ${subject}\` in the place of ${subject}, and it goes on as that; or drop it`;
  return [{ kind: 'cannot', subject, position, message }];
}

/** Options of memberships that the server does not have. What it has by itself may be written out. */
function tooOldFor(roles: readonly RoleEntry[], subject: string, catalog: Catalog, what: string): Notice | undefined {
  const withOptions = catalog.server.major < 16 ? roles.find((role) => role.inherit === false || role.set === false) : undefined;
  if (withOptions === undefined) return undefined;
  const after = catalog.cluster.roles.has(subject) ? `${what} stays as it is` : `${what} is not created`;
  return {
    kind: 'invalid',
    subject,
    position: withOptions.position,
    message: `membership in ${withOptions.name} has inherit: false or set: false, which need PostgreSQL 16; this server is ${catalog.server.major}; ${after}`,
  };
}

/** Why an entry changes nothing this time: its role is refused, or the server is too old for it. */
function reasonToKeep(user: UserEntry, { catalog, law }: DesiredInput): Notice | undefined {
  const subject = user.username;
  const declared = declaredUserOf(user);
  // Who logs in for another one by turns is of the same source.
  const refusal = declared === subject ? law.refuseToManage(subject) : (law.refuseToManage(subject, law.whose.of(declared)) ?? law.refuseToManage(declared));
  if (refusal !== undefined) return { kind: 'refused', subject, position: user.position, message: `the user is refused: ${refusal}` };
  return renamedNotice(subject, catalog, user.position)[0] ?? tooOldFor(user.roles, subject, catalog, 'the user');
}

/** A password that is not known is no reason to leave anything else as it is, least of all what is to be taken away. */
function passwordUnknown(user: UserEntry, { catalog, withoutSecret }: DesiredInput): Notice | undefined {
  const subject = user.username;
  const secret = withoutSecret.get(subject);
  if (secret === undefined) return undefined;
  const actual = catalog.cluster.roles.get(subject);
  const closed = actual !== undefined && isClosed(actual, catalog.server.now) ? ', and it cannot log in until then' : '';
  const after = actual === undefined ? 'the user is not created' : `its password stays as it is${closed}`;
  return { kind: 'secret', subject, position: user.position, message: `${secret}; ${after}` };
}

function userRole(user: UserEntry, { catalog, law, defaultDatabase, held }: DesiredInput, notices: Notice[]): Role {
  const actual = catalog.cluster.roles.get(user.username);
  const base = baseline(user.username, catalog);
  return {
    ...base,
    login: user.login,
    connectionLimit: user.connectionLimit ?? base.connectionLimit,
    validUntil: user.validUntil === undefined ? base.validUntil : user.validUntil,
    comment: user.comment === undefined ? base.comment : user.comment,
    settings: hasNoSettings(user, base)
      ? base.settings
      : withAssumedRole(
          { ...user, assumeRole: held.get(user.assumeRole ?? '') ?? user.assumeRole },
          wantedSettings(user, base, actual, law, catalog, notices),
          catalog,
          defaultDatabase,
        ),
  };
}

/** Neither says the entry any, nor has the role some that could stay: as of most users. */
const hasNoSettings = ({ settings, databaseSettings, assumeRole }: UserEntry, base: Role): boolean =>
  settings === undefined && databaseSettings === undefined && assumeRole === undefined && base.settings.size === 0;

const bareRole = (name: string, catalog: Catalog): Role => {
  const base = baseline(name, catalog);
  const actual = catalog.cluster.roles.get(name);
  // A role that entries only name belongs, beyond its attributes, to whoever manages it.
  return { ...base, comment: actual?.comment ?? null, settings: actual?.settings ?? NO_SETTINGS };
};

const NO_SETTINGS: ReadonlyMap<string, SettingMap> = new Map();

/** What an entry does not say: defaults for a role that we made (a change by hand is drift), and as it is for an adopted one. */
function baseline(name: string, catalog: Catalog): Role {
  const actual = catalog.cluster.roles.get(name);
  if (actual !== undefined && catalog.managed.get(name)?.origin !== 'created') return actual;
  return {
    name,
    login: false,
    inherit: true,
    superuser: actual?.superuser ?? false,
    replication: actual?.replication ?? false,
    createdb: false,
    createrole: false,
    bypassrls: false,
    connectionLimit: -1,
    validUntil: null,
    comment: null,
    settings: NO_SETTINGS,
  };
}

function wantedSettings(user: UserEntry, base: Role, actual: Role | undefined, law: Law, catalog: Catalog, notices: Notice[]): ReadonlyMap<string, SettingMap> {
  const settings = new Map(base.settings);
  const declared: [string, Settings][] = [...(user.databaseSettings ?? [])];
  if (user.settings !== undefined) declared.push([ALL_DATABASES, user.settings]);
  if (user.databaseSettings !== undefined) for (const database of base.settings.keys()) if (database !== ALL_DATABASES) settings.delete(database);
  for (const [database, values] of declared) {
    if (database !== ALL_DATABASES && !catalog.databases.has(database)) {
      notices.push({ kind: 'pending', subject: user.username, position: user.position, message: `settings in database ${database} wait until it exists` });
      continue;
    }
    const wanted = new Map<string, string>();
    for (const [name, value] of values) {
      const refusal = law.refuseSetting(name);
      if (refusal === undefined) {
        wanted.set(name, value);
        continue;
      }
      notices.push({ kind: 'refused', subject: user.username, position: user.position, message: `the setting ${name} is refused: ${refusal}` });
      const present = actual?.settings.get(database)?.get(name);
      if (present !== undefined) wanted.set(name, present);
    }
    settings.set(database, wanted);
  }
  return settings;
}

/** Sessions of the user in its databases start as the role, so that what they create belongs to it. */
function withAssumedRole(
  user: UserEntry,
  settings: ReadonlyMap<string, SettingMap>,
  catalog: Catalog,
  defaultDatabase: string,
): ReadonlyMap<string, SettingMap> {
  const { assumeRole } = user;
  const left = [...settings].some(([database, values]) => database !== ALL_DATABASES && values.has('role'));
  if (assumeRole === undefined && !left) return settings;
  // No setting of a document can be called so: what there is comes from an earlier assumeRole.
  const result = new Map([...settings].map(([database, values]) => [database, database === ALL_DATABASES ? values : withoutRole(values)]));
  if (assumeRole === undefined) return result;
  for (const database of homes(user, defaultDatabase))
    if (catalog.databases.has(database)) result.set(database, new Map([...(result.get(database) ?? []), ['role', assumeRole]]));
  return result;
}

const withoutRole = (values: SettingMap): SettingMap => new Map([...values].filter(([name]) => name !== 'role'));
