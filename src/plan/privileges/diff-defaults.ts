// The diff of default privileges: what objects that do not exist yet will give, for everybody who creates objects.
import type { Change } from '../../changes/change.ts';
import type { InParts, Pace } from '../../model/in-parts.ts';
import type { Acting } from './acting.ts';
import { type AclEntry, type DatabaseContents, isSystemSchema, ownName, pairKey, PUBLIC } from '../../model/contents.ts';
import { KINDS, OBJECT_KINDS, type ObjectKind } from '../../model/kinds.ts';
import { type Wish, wishOf } from './rules.ts';
import type { Subject } from './subject.ts';

export interface DefaultsInput {
  readonly contents: DatabaseContents;
  readonly owner: string;
  /** Roles that the document says create objects in this database. */
  readonly createdBy: readonly string[];
  readonly exists: (role: string) => boolean;
  readonly subjects: readonly Subject[];
  readonly major: number;
  readonly acting: Acting;
  readonly pace: Pace;
}

/** Kinds that have default privileges on this server. */
const kindsFor = (major: number): readonly ObjectKind[] => OBJECT_KINDS.filter((kind) => (KINDS[kind].defaults?.since ?? Infinity) <= major);

/** What the server gives PUBLIC where no row of pg_default_acl says otherwise. */
const BUILT_IN: Readonly<Partial<Record<ObjectKind, string>>> = { function: 'EXECUTE', type: 'USAGE' };

const NOTHING: Wish = wishOf([]);

/** The changes that make `'*'` hold for objects to come; without order. */
export function* diffDefaults(input: DefaultsInput): InParts<Change[]> {
  const { contents, subjects } = input;
  const actual = actualDefaults(input);
  const schemas = contents.groups
    .filter((group) => group.kind === 'schema' && !group.extension)
    .flatMap((group) => group.names.map((name) => ({ name: ownName(name), owner: group.owner })));
  const creators = yield* creatorsOf(input, schemas);
  const everywhere = new Set([...creators.values()].flatMap((roles) => [...roles]));
  const changes: Change[] = [];
  for (const subject of subjects)
    for (const kind of kindsFor(input.major)) {
      if (input.pace(schemas.length)) yield;
      const wanted = wantedFor(subject, kind, input, schemas, creators, everywhere);
      const rows = actual.get(pairKey(subject.name, kind));
      const keys = new Set([...wanted.keys(), ...(rows?.keys() ?? [])]);
      for (const key of keys) {
        const [should, does] = [wanted.get(key), rows?.get(key)];
        const { creator, schema } = should ?? does ?? { creator: '', schema: '' };
        changes.push(...compare(subject, kind, creator, schema, should?.wish, does?.entries ?? builtIn(subject, kind, schema), input));
      }
    }
  return changes;
}

/** Whose objects to come, and where: in every schema where it is empty. */
interface Maker {
  readonly creator: string;
  readonly schema: string;
}

type Held = Maker & { readonly entries: readonly AclEntry[] };
type Wanted = Maker & { readonly wish: Wish };

/** grantee and kind → creator and schema → what is held. */
function actualDefaults({ contents }: DefaultsInput): ReadonlyMap<string, ReadonlyMap<string, Held>> {
  const result = new Map<string, Map<string, Held>>();
  const put = (grantee: string, kind: ObjectKind, held: Held): void => {
    const rows = result.get(pairKey(grantee, kind)) ?? new Map<string, Held>();
    result.set(pairKey(grantee, kind), rows.set(pairKey(held.creator, held.schema), held));
  };
  for (const { creator, schema, kind, entries } of contents.defaults) {
    if (isSystemSchema(schema)) continue;
    for (const grantee of new Set([...(schema === '' ? [PUBLIC] : []), ...entries.map((entry) => entry.grantee)]))
      put(grantee, kind, { creator, schema, entries: entries.filter((entry) => entry.grantee === grantee) });
  }
  return result;
}

function builtIn(subject: Subject, kind: ObjectKind, schema: string): readonly AclEntry[] {
  const privilege = BUILT_IN[kind];
  return subject.name === PUBLIC && schema === '' && privilege !== undefined ? [{ grantee: PUBLIC, grantor: '', privilege, grantable: false }] : [];
}

/** Schema → who makes objects there: its owner, the database's, those that hold CREATE on it, and whom the document names. */
function* creatorsOf(
  { contents, owner, createdBy, exists, subjects, pace }: DefaultsInput,
  schemas: readonly { name: string; owner: string }[],
): InParts<ReadonlyMap<string, ReadonlySet<string>>> {
  const real = (role: string): string => (role === 'pg_database_owner' ? owner : role);
  // For those whose privileges are compared, what they will hold counts and not what they hold: the same plan grants and revokes it.
  const exact = new Map(subjects.filter((subject) => subject.mode === 'exact').map((subject) => [subject.name, subject]));
  const willCreate = ({ rules }: Subject, schema: string): boolean =>
    rules.scope('schema', contents.name, '').find(schema)?.has('CREATE') === true || rules.impliedOn(contents.name, schema)?.has('CREATE') === true;
  // Most of thousands of users have no rule for schemas, and need not be asked about each.
  const asked = subjects.filter(({ name, rules }) => name !== PUBLIC && rules.concerns('schema', contents.name));
  const holders = (schema: string): readonly string[] => [
    ...(contents.creators.get(schema) ?? []).filter((role) => !exact.has(role)),
    ...asked.filter((subject) => willCreate(subject, schema)).map((subject) => subject.name),
  ];
  const creators = new Map<string, ReadonlySet<string>>();
  for (const schema of schemas) {
    if (pace(asked.length + 1)) yield;
    creators.set(schema.name, new Set([owner, schema.owner, ...createdBy, ...holders(schema.name)].map(real).filter((role) => exists(role))));
  }
  return creators;
}

/** creator and schema → what a new object should give the subject. */
function wantedFor(
  subject: Subject,
  kind: ObjectKind,
  { contents }: DefaultsInput,
  schemas: readonly { name: string; owner: string }[],
  creators: ReadonlyMap<string, ReadonlySet<string>>,
  everywhere: ReadonlySet<string>,
): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  if (!subject.rules.concerns(kind, contents.name)) return wanted;
  const want = (creator: string, schema: string, wish: Wish): void => {
    // An owner's rights are its own.
    if (creator !== subject.name) wanted.set(pairKey(creator, schema), { creator, schema, wish });
  };
  if (KINDS[kind].scope !== 'schema') {
    const wish = subject.rules.scope(kind, contents.name, '').everything;
    if (wish !== undefined) for (const role of everywhere) want(role, '', wish);
    return wanted;
  }
  // A schema that nobody has made yet stands for the pattern `*`: only such rules are for every schema.
  const general = subject.rules.scope(kind, contents.name, '').everything;
  const own = new Map(schemas.map(({ name }) => [name, subject.rules.scope(kind, contents.name, name).everything]));
  // A row for every schema cannot be taken back for one of them: PUBLIC's built-in rights only go with it, others' where no schema gives less.
  const isGlobal = general !== undefined && [...own.values()].every((wish) => contains(wish, general));
  if (isGlobal) for (const role of everywhere) want(role, '', general);
  for (const { name } of schemas) {
    const wish = own.get(name);
    if (wish === undefined) continue;
    const rest = isGlobal ? wishOf([...wish].filter(([privilege, grantable]) => general.get(privilege) !== grantable)) : wish;
    if (rest.size > 0) for (const role of creators.get(name) ?? []) want(role, name, rest);
  }
  return wanted;
}

const contains = (wish: Wish | undefined, other: Wish): boolean =>
  wish !== undefined && [...other].every(([privilege, grantable]) => wish.has(privilege) && (wish.get(privilege) === true || !grantable));

function compare(
  subject: Subject,
  object: ObjectKind,
  creator: string,
  schema: string,
  wished: Wish | undefined,
  entries: readonly AclEntry[],
  { contents, acting }: DefaultsInput,
): Change[] {
  if (creator === subject.name || (wished === undefined && subject.mode !== 'exact')) return [];
  const wish = wished ?? NOTHING;
  const held = new Map(entries.map((entry) => [entry.privilege, entry.grantable]));
  const base = { role: subject.name, database: contents.name, creator, schema, object, as: acting.as(creator, contents.name) };
  const changes: Change[] = [];
  for (const grantable of [false, true]) {
    const privileges = [...wish].flatMap(([privilege, option]) =>
      option === grantable && (!held.has(privilege) || (option && held.get(privilege) === false)) ? [privilege] : [],
    );
    if (privileges.length > 0) changes.push({ kind: 'grant_default_privilege', ...base, privileges, grantable });
  }
  if (subject.mode === 'additive') return changes;
  const extra = [...held.keys()].filter((privilege) => !wish.has(privilege));
  if (extra.length > 0) changes.push({ kind: 'revoke_default_privilege', ...base, privileges: extra, optionOnly: false });
  const options = [...held].flatMap(([privilege, grantable]) => (grantable && wish.get(privilege) === false ? [privilege] : []));
  if (options.length > 0) changes.push({ kind: 'revoke_default_privilege', ...base, privileges: options, optionOnly: true });
  return changes;
}
