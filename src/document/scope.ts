// Scope: what of a document an author may say. One table for each kind of entry, with every key that it has: a key that is not judged here is not compiled.
import type { ENTRY, TOP_LEVEL } from './keys.ts';
import type { DATABASE_KEYS } from './database-entries.ts';
import type { ROLE_KEYS } from './roles.ts';
import type { DatabaseEntry, DeletionPolicy, Position, RoleDeclaration, Settings, UserEntry } from '../model/entries.ts';
import { isSystemSchema } from '../model/contents.ts';
import { isWithin } from '../model/pattern.ts';
import { ruleFindings } from './scope-rules.ts';
import type { Finding, ScopeFacts } from './scope-facts.ts';
import { show } from './show.ts';
import type { Path } from './tree.ts';

/** `free`: it is about the author's own role alone. `elsewhere`: it is judged with what others declare (claims.ts, consent.ts, quota.ts). */
type Judge<T> = 'free' | 'elsewhere' | 'never' | ((entry: T, facts: ScopeFacts) => readonly Finding[]);
type Table<K extends string, T> = Readonly<Record<K, Judge<T>>>;

/** What may be, in words. */
const allowed = (what: string, patterns: readonly string[]): string =>
  patterns.length === 0 ? `${what}: none` : `${what}: ${patterns.slice(0, 20).map(show).join(', ')}${patterns.length > 20 ? ' and more' : ''}`;

const beyond = (path: Path, thing: string, what: string, patterns: readonly string[], position?: Position): Finding => ({
  path,
  message: `${thing} is beyond what this author may; it may ${allowed(what, patterns)}`,
  position,
});

const isNamed = (name: string, patterns: readonly string[]): boolean => patterns.some((pattern) => isWithin(name, pattern));

const nameFinding = (name: string, { scope }: Pick<ScopeFacts, 'scope'>, path: Path): readonly Finding[] =>
  isNamed(name, scope.names) ? [] : [beyond(path, `the name ${show(name)}`, 'declare the names', scope.names)];

const databaseFinding = (name: string | undefined, { scope, defaultDatabase }: ScopeFacts, path: Path): readonly Finding[] => {
  const database = name ?? defaultDatabase;
  if (database === undefined || isNamed(database, scope.databases)) return [];
  const thing = name === undefined ? `no \`database\` means ${show(database)}, which` : `the database ${show(database)}`;
  return [beyond(path, thing, 'use the databases', scope.databases)];
};

const policyFinding = (policy: DeletionPolicy | undefined): readonly Finding[] =>
  policy === 'retain' ? [{ path: ['deletionPolicy'], message: "`retain` would leave a role that is nobody's; an author may say `drop` or `disable`" }] : [];

const settingFindings = (settings: Settings | undefined, { scope }: ScopeFacts, path: Path): readonly Finding[] =>
  [...(settings?.keys() ?? [])].flatMap((name) =>
    scope.settings.includes(name) ? [] : [beyond([...path, name], `the setting ${show(name)}`, 'set the parameters', scope.settings)],
  );

const renamed = (entry: { readonly renamedFrom?: string | undefined }, facts: ScopeFacts): readonly Finding[] =>
  entry.renamedFrom === undefined ? [] : nameFinding(entry.renamedFrom, facts, ['renamedFrom']);

const rules = ({ rules: all = [] }: Pick<UserEntry, 'rules'>, facts: ScopeFacts): readonly Finding[] => ruleFindings(all, facts);

const USER: Table<(typeof ENTRY)[number], UserEntry> = {
  username: 'elsewhere',
  renamedFrom: renamed,
  database: ({ database }, facts) => databaseFinding(database, facts, ['database']),
  databases: ({ databases }, facts) => databases.flatMap((name, index) => databaseFinding(name, facts, ['databases', index])),
  roles: 'elsewhere',
  assumeRole: 'elsewhere',
  // All three are in the entry's rules.
  privileges: 'elsewhere',
  grants: rules,
  permissions: 'elsewhere',
  grantsMode: 'free',
  password: 'free',
  // It is read in the author's own namespace.
  passwordSecretRef: 'free',
  connectionSecret: ({ connectionSecret }, { scope, namespace }) => {
    if (connectionSecret === undefined) return [];
    const { position } = connectionSecret;
    if (!scope.connectionSecrets)
      return [{ path: ['connectionSecret'], message: 'this author may not have connection Secrets; the operator can allow them', position }];
    if (connectionSecret.namespace === undefined || connectionSecret.namespace === namespace) return [];
    return [{ path: ['connectionSecret', 'namespace'], message: `connection Secrets of this author are in its own namespace, ${show(namespace)}`, position }];
  },
  rotation: ({ rotation }) =>
    rotation?.strategy === 'two-users'
      ? [{ path: ['rotation', 'strategy'], message: '`two-users` makes users that nobody declared; an author writes `in-place`', position: rotation.position }]
      : [],
  connectionLimit: 'elsewhere',
  validUntil: 'free',
  settings: ({ settings }, facts) => settingFindings(settings, facts, ['settings']),
  databaseSettings: ({ databaseSettings }, facts) =>
    [...(databaseSettings ?? [])].flatMap(([database, settings]) => [
      ...databaseFinding(database, facts, ['databaseSettings', database]),
      ...settingFindings(settings, facts, ['databaseSettings', database]),
    ]),
  comment: 'free',
  login: 'free',
  deletionPolicy: ({ deletionPolicy }) => policyFinding(deletionPolicy),
  drain: 'free',
  movedTo: 'elsewhere',
};

const ROLE: Table<(typeof ROLE_KEYS)[number], RoleDeclaration> = {
  name: 'elsewhere',
  renamedFrom: renamed,
  permissions: 'elsewhere',
  memberOf: 'elsewhere',
  grants: rules,
  grantsMode: 'free',
  // Whom it hands out what is its own to.
  sharedWith: 'free',
  movedTo: 'elsewhere',
  comment: 'free',
  deletionPolicy: ({ deletionPolicy }) => policyFinding(deletionPolicy),
};

const DATABASE: Table<(typeof DATABASE_KEYS)[number], DatabaseEntry> = {
  name: ({ name }, facts) => databaseFinding(name, facts, ['name']),
  owner: 'elsewhere',
  create: ({ create }, { scope }) =>
    create && !scope.create
      ? [{ path: ['create'], message: 'this author may not have databases made; the operator can allow it with `create: true` in its scope' }]
      : [],
  public: ({ public: blocks }) =>
    blocks.length === 0 ? [] : [{ path: ['public'], message: 'what PUBLIC may do concerns everybody who uses the database, so only the operator says it' }],
  schemas: ({ schemas }, { scope }) =>
    schemas.flatMap(({ name, position }, index) =>
      isNamed(name, scope.schemas) && !isSystemSchema(name)
        ? []
        : [beyond(['schemas', index], `the schema ${show(name)}`, 'use the schemas', scope.schemas, position)],
    ),
  extensions: ({ extensions }) =>
    extensions.length === 0 ? [] : [{ path: ['extensions'], message: 'an extension brings code into the database, so only the operator installs it' }],
  createdBy: 'elsewhere',
};

/** Keys of the document itself. */
const DOCUMENT: Readonly<Record<(typeof TOP_LEVEL)[number], 'free' | 'elsewhere' | 'never'>> = {
  timestamp: 'free',
  guardrails: 'never',
  databases: 'elsewhere',
  permissions: 'elsewhere',
  roles: 'elsewhere',
  users: 'elsewhere',
  allowEmpty: 'free',
};

/** Keys of a document that no author may use. */
export const NEVER = Object.entries(DOCUMENT).flatMap(([key, judge]) => (judge === 'never' ? [key] : []));

const judged = <T>(table: Table<string, T>, entry: T, facts: ScopeFacts): readonly Finding[] =>
  Object.values(table).flatMap((judge) => (typeof judge === 'function' ? judge(entry, facts) : []));

/** What a user's entry says beyond the scope, its name and what others are asked for left aside. */
export const userFindings = (entry: UserEntry, facts: ScopeFacts): readonly Finding[] => judged(USER, entry, facts);
export const roleFindings = (entry: RoleDeclaration, facts: ScopeFacts): readonly Finding[] => judged(ROLE, entry, facts);
export const databaseFindings = (entry: DatabaseEntry, facts: ScopeFacts): readonly Finding[] => judged(DATABASE, entry, facts);
