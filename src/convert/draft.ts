// The draft of a document that is made from another tool's: entries and grants in any order → what is written. What cannot be said is a remark.
import type { Written } from '../document/write-yaml.ts';
import { blocksOf, createGrants, createRoom, type Grants } from './grants.ts';

export interface Remark {
  readonly subject: string;
  readonly message: string;
}

/** Options of a membership; those that are left out are PostgreSQL's. */
export interface MembershipOptions {
  readonly admin?: boolean;
  readonly inherit?: boolean;
}

export interface EntryDraft {
  readonly name: string;
  /** Whether it is a user: one that may log in. */
  login: boolean;
  /** false: what it is a member of is inherited where the membership itself says so. */
  inherit: boolean;
  /** Whether its tool takes away what is not declared, as pgsteward does. */
  isWhole: boolean;
  readonly keys: Map<string, Written>;
  readonly memberships: Map<string, MembershipOptions>;
  readonly grants: Grants;
}

export interface DatabaseDraft {
  readonly keys: Map<string, Written>;
  readonly schemas: Map<string, string | undefined>;
  readonly extensions: Map<string, string | undefined>;
  readonly createdBy: Set<string>;
}

export interface Draft {
  /** The entry of a role, made when it is first asked for. */
  entry(name: string): EntryDraft;
  has(name: string): boolean;
  /** Takes an entry out again. */
  leaveOut(name: string): void;
  database(name: string): DatabaseDraft;
  /** What PUBLIC may do. */
  readonly everybody: Grants;
  remark(subject: string, message: string): void;
  /** A remark about something of this role that the document does not say: it takes nothing away from it then, as that may be what it holds. */
  leave(role: string, message: string, subject?: string): void;
  written(): { readonly document: Written; readonly remarks: readonly Remark[] };
}

export function createDraft(): Draft {
  const entries = new Map<string, EntryDraft>();
  const databases = new Map<string, DatabaseDraft>();
  const out = new Set<string>();
  const room = createRoom();
  const everybody = createGrants(room);
  const remarks = new Map<string, Remark>();
  const made = <T>(map: Map<string, T>, name: string, make: () => T): T => {
    const there = map.get(name) ?? make();
    map.set(name, there);
    return there;
  };
  const database = (name: string): DatabaseDraft =>
    made(databases, name, () => ({ keys: new Map(), schemas: new Map(), extensions: new Map(), createdBy: new Set() }));
  const remark = (subject: string, message: string): void => void remarks.set(JSON.stringify([subject, message]), { subject, message });
  return {
    entry: (name) =>
      made(entries, name, () => ({ name, login: false, inherit: true, isWhole: true, keys: new Map(), memberships: new Map(), grants: createGrants(room) })),
    has: (name) => entries.has(name) && !out.has(name),
    leaveOut: (name) => void out.add(name),
    database,
    everybody,
    remark,
    leave: (role, message, subject = role) => {
      const entry = entries.get(role);
      if (entry !== undefined) entry.isWhole = false;
      remark(subject, message);
    },
    written: () => {
      for (const [name, blocks] of publicBlocks(everybody, remark)) database(name).keys.set('public', blocks);
      const all = [...entries.values()].filter(({ name }) => !out.has(name)).toSorted(byName);
      const [roles, users] = [all.filter(({ login }) => !login), all.filter(({ login }) => login)];
      const sections: readonly (readonly [string, readonly Written[]])[] = [
        ['databases', [...databases].map(([name, draft]) => databaseOf(name, draft))],
        ['roles', roles.map((entry) => entryOf(entry, 'name', 'memberOf', remark))],
        ['users', users.map((entry) => entryOf(entry, 'username', 'roles', remark))],
      ];
      // A document without users is not read; one of roles alone says that it is meant so.
      const filled = sections.filter(([name, items]) => items.length > 0 || name === 'users');
      const document = new Map<string, Written>([...filled, ...(users.length === 0 ? [['allowEmpty', true] as const] : [])]);
      return { document, remarks: [...remarks.values()] };
    },
  };
}

const byName = (a: EntryDraft, b: EntryDraft): number => (a.name < b.name ? -1 : 1);

function entryOf(entry: EntryDraft, nameKey: string, membershipsKey: string, remark: Draft['remark']): Written {
  const { name, keys, memberships, grants, inherit, isWhole } = entry;
  const written = new Map<string, Written>([[nameKey, name], ...keys]);
  if (memberships.size > 0)
    written.set(
      membershipsKey,
      [...memberships].map(([role, options]) => membershipOf(role, inherit ? options : { inherit: false, ...options })),
    );
  const unsaid: string[] = [];
  const blocks = blocksOf(grants, (starred) => void unsaid.push(starred));
  for (const starred of unsaid) remark(name, unsaidWords(starred));
  if (blocks.length > 0) {
    written.set('grants', blocks);
    // What is left out here may be what it holds.
    if (!isWhole || unsaid.length > 0) written.set('grantsMode', 'additive');
  }
  return written;
}

const unsaidWords = (name: string): string =>
  `what it is granted on ${name} is left out: a name with a star in it is a pattern in a document, and would give more`;

const membershipOf = (role: string, { admin = false, inherit = true }: MembershipOptions): Written =>
  admin || !inherit
    ? new Map<string, Written>([['name', role], ...(admin ? [['admin', true] as const] : []), ...(inherit ? [] : [['inherit', false] as const])])
    : role;

function databaseOf(name: string, { keys, schemas, extensions, createdBy }: DatabaseDraft): Written {
  const written = new Map<string, Written>([['name', name], ...keys]);
  const pairs = (from: ReadonlyMap<string, string | undefined>, key: string): Written =>
    [...from].map(([item, value]) =>
      value === undefined
        ? item
        : new Map([
            ['name', item],
            [key, value],
          ]),
    );
  if (schemas.size > 0) written.set('schemas', pairs(schemas, 'owner'));
  if (extensions.size > 0) written.set('extensions', pairs(extensions, 'schema'));
  if (createdBy.size > 0) written.set('createdBy', [...createdBy]);
  return written;
}

/** The blocks of PUBLIC stand with their databases. */
function publicBlocks(everybody: Grants, remark: Draft['remark']): ReadonlyMap<string, Written> {
  const found = new Map<string, Written[]>();
  for (const block of blocksOf(everybody, (name) => remark('PUBLIC', unsaidWords(name)))) {
    const name = block.get('database');
    if (typeof name !== 'string') remark('PUBLIC', 'what everybody may do is said with a database by its name, and none is known: give one with --database');
    else found.set(name, [...(found.get(name) ?? []), new Map([...block].filter(([key]) => key !== 'database'))]);
  }
  return found;
}
