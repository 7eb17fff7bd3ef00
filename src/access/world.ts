// A server while changes are followed: a copy that they are made in, of which only what they are about is taken apart.
import { rightsOf } from '../explain/links.ts';
import type { Realm } from '../explain/securable.ts';
import type { Membership, Role } from '../model/cluster.ts';
import { type AclEntry, ownName } from '../model/contents.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import type { MayStillGrant } from './acl.ts';
import type { Beside } from './beside.ts';
import { Defaults } from './defaults.ts';
import { type Pile, Piles } from './piles.ts';
import type { AccessState, AfterChanges, DatabaseAccess } from './state.ts';

type MembershipOf = Pick<Membership, 'role' | 'member' | 'grantor'>;

interface DatabaseWorld {
  readonly piles: Piles;
  readonly defaults: Defaults;
  beside: Beside | undefined;
}

export class World {
  readonly facts: Pick<AccessState, 'major' | 'now' | 'admin' | 'grantor' | 'bootstrap' | 'closed' | 'parameters'>;
  readonly shared: Piles;
  readonly unknown: string[] = [];
  roles: Map<string, Role>;
  /** By role, member and, where the server has a row for each, grantor. */
  readonly #rows: Map<string, Membership>;
  readonly #read: Map<string, DatabaseAccess>;
  /** Databases that something is done in; others stay as they were. */
  readonly #databases = new Map<string, DatabaseWorld>();
  readonly #realms = new Map<string, Realm>();

  constructor({ roles, memberships, shared, databases, ...facts }: AccessState) {
    const { major, now, admin, grantor, bootstrap, closed, parameters } = facts;
    this.facts = { major, now, admin, grantor, bootstrap, closed, parameters };
    this.roles = new Map(roles);
    this.#rows = new Map(memberships.map((row) => [this.#rowKey(row), row]));
    this.shared = new Piles(shared);
    this.#read = new Map(databases);
  }

  /** Below 16 there is one row for each role and member. */
  #rowKey({ role, member, grantor }: MembershipOf): string {
    return this.facts.major < 16 ? `${role}\0${member}` : `${role}\0${member}\0${grantor}`;
  }

  get memberships(): readonly Membership[] {
    return [...this.#rows.values()];
  }

  membership(of: MembershipOf): Membership | undefined {
    return this.#rows.get(this.#rowKey(of));
  }

  setMembership(row: Membership): void {
    this.#rows.set(this.#rowKey(row), row);
    this.#realms.clear();
  }

  removeMembership(row: Membership): void {
    this.#rows.delete(this.#rowKey(row));
    this.#realms.clear();
  }

  setMemberships(rows: readonly Membership[]): void {
    this.#rows.clear();
    for (const row of rows) this.#rows.set(this.#rowKey(row), row);
    this.#realms.clear();
  }

  /** A database to do something in; undefined where it was not read. */
  database(name: string): DatabaseWorld | undefined {
    const found = this.#databases.get(name);
    const read = this.#read.get(name);
    if (found !== undefined || read === undefined) return found;
    const opened = { piles: new Piles(read.groups), defaults: new Defaults(read.defaults, this.facts.major), beside: read.beside };
    this.#databases.set(name, opened);
    return opened;
  }

  readonly databaseNames = (): readonly string[] => [...this.#read.keys()];

  addDatabase(name: string, contents: DatabaseAccess): void {
    this.#read.set(name, contents);
  }

  /** What a database has now. */
  contentsOf(name: string): DatabaseAccess | undefined {
    const open = this.#databases.get(name);
    if (open === undefined) return this.#read.get(name);
    return { groups: open.piles.groups(), defaults: open.defaults.rows(), ...(open.beside === undefined ? {} : { beside: open.beside }) };
  }

  /** Where objects of a kind are. */
  pilesFor(kind: ObjectKind, database: string): Piles | undefined {
    return KINDS[kind].scope === 'cluster' ? this.shared : this.database(database)?.piles;
  }

  /** The roles as they are now; anew after each change of them. */
  realm(database: string): Realm {
    const known = this.#realms.get(database);
    if (known !== undefined && known.roles === this.roles) return known;
    const owner = this.shared.pileOf('database', '', database)?.owner ?? '';
    const { major, now } = this.facts;
    const realm = { major, now, roles: this.roles, memberships: this.memberships, databaseOwner: owner };
    this.#realms.set(database, realm);
    return realm;
  }

  /** Roles and owners of databases are other ones. */
  forgetRealms(): void {
    this.#realms.clear();
  }

  isSuperuser(role: string): boolean {
    return this.roles.get(role)?.superuser === true;
  }

  /** Who may still pass on what is in an ACL: its owner, and who has a grant option or the rights of one who has it. */
  mayStill({ acl, owner }: Pick<Pile, 'acl' | 'owner'>, database: string): MayStillGrant {
    return (grantee, privilege) => {
      const rights = rightsOf(this.realm(database), grantee);
      return rights.has(owner) || [...acl.values()].some((entry) => entry.grantable && entry.privilege === privilege && rights.has(entry.grantee));
    };
  }

  /** By what a column can be granted on beside its own ACL: that of its table, which all of one change are in. */
  aroundOf({ kind, schema, names }: Pick<Pile, 'kind' | 'schema' | 'names'>, database: string): Iterable<AclEntry> {
    const [name] = names.values();
    const table = kind === 'column' && name !== undefined ? this.database(database)?.piles.pileOf('table', schema, ownName(name)) : undefined;
    return table?.acl.values() ?? [];
  }

  state(): AfterChanges {
    return {
      ...this.facts,
      roles: this.roles,
      memberships: this.memberships,
      shared: this.shared.groups(),
      databases: new Map([...this.#read.keys()].map((name) => [name, this.contentsOf(name) ?? { groups: [], defaults: [] }])),
      unknown: this.unknown,
    };
  }
}
