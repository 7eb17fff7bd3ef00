// A second evaluator of documents, written from docs/privileges.md alone: what each role should hold on each object, by itself.

export type Wish = string | { readonly privilege: string; readonly grantable?: boolean };
export type Targets = readonly string[] | Readonly<Record<string, readonly Wish[]>>;

/** The keys that name objects by pattern, with the kind that they name. */
const KEYS = {
  tables: 'table',
  sequences: 'sequence',
  functions: 'function',
  types: 'type',
  languages: 'language',
  foreignDataWrappers: 'foreign_data_wrapper',
  foreignServers: 'foreign_server',
  largeObjects: 'large_object',
  tablespaces: 'tablespace',
  parameters: 'parameter',
} as const;
type Key = keyof typeof KEYS;
export type Kind = (typeof KEYS)[Key] | 'database' | 'schema' | 'column';

export type Block = { readonly [key in Key]?: Targets } & {
  readonly database?: string | readonly string[];
  readonly databases?: string | readonly string[];
  readonly schemas?: readonly string[] | Readonly<Record<string, readonly Wish[]>>;
  readonly databasePrivileges?: readonly Wish[];
  readonly columns?: Readonly<Record<string, Readonly<Record<string, readonly Wish[]>>>>;
  readonly actions?: readonly Wish[];
  readonly preset?: 'read_only' | 'read_write' | 'owner';
};
export interface PlainRole {
  readonly name: string;
  readonly grants?: readonly Block[];
  readonly permissions?: readonly string[];
  readonly grantsMode?: 'authoritative' | 'additive';
  readonly memberOf?: readonly string[];
}
export interface PlainUser extends Omit<PlainRole, 'name' | 'memberOf'> {
  readonly username: string;
  readonly database?: string;
  readonly databases?: readonly string[];
  readonly roles?: readonly string[];
  readonly privileges?: Readonly<Record<string, readonly Wish[]>> | null;
  readonly login?: boolean;
}
export interface PlainDatabase {
  readonly name: string;
  readonly public?: 'revoked' | Block;
  readonly createdBy?: readonly string[];
}
export interface PlainDocument {
  readonly databases?: readonly PlainDatabase[];
  readonly permissions?: readonly (Block & { readonly name: string })[];
  readonly roles?: readonly PlainRole[];
  readonly users: readonly PlainUser[];
}

/** One thing of the server outside the system's schemas; what does not apply is the empty text. */
export interface ActualObject {
  readonly kind: Kind;
  readonly database: string;
  readonly schema: string;
  /** For a column, its table's. */
  readonly name: string;
  /** Types of a function's input arguments, as format_type writes them. */
  readonly args: string;
  readonly column: string;
  readonly owner: string;
  /** Whether it belongs to an extension. */
  readonly extension: boolean;
}

/** Privilege → whether WITH GRANT OPTION. */
export type Held = ReadonlyMap<string, boolean>;
export type Mode = 'authoritative' | 'additive' | 'alone';

export interface Rule {
  readonly kind: Kind;
  readonly database: string;
  readonly schema: string;
  readonly name: string;
  readonly column: string;
  readonly wishes: readonly Wish[];
  /** USAGE on a schema because of something in it: adds to whatever rule holds. */
  readonly implied: boolean;
  readonly permission: string | undefined;
}

const ALL: Readonly<Record<Kind, readonly string[]>> = {
  database: ['CONNECT', 'CREATE', 'TEMPORARY'],
  schema: ['USAGE', 'CREATE'],
  table: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'],
  column: ['SELECT', 'INSERT', 'UPDATE', 'REFERENCES'],
  sequence: ['USAGE', 'SELECT', 'UPDATE'],
  function: ['EXECUTE'],
  type: ['USAGE'],
  language: ['USAGE'],
  foreign_data_wrapper: ['USAGE'],
  foreign_server: ['USAGE'],
  large_object: ['SELECT', 'UPDATE'],
  tablespace: ['CREATE'],
  parameter: ['SET', 'ALTER SYSTEM'],
};
/** Every privilege that a server of this version knows for the kind. */
export const allPrivileges = (kind: Kind, major: number): readonly string[] => ALL[kind].filter((privilege) => privilege !== 'MAINTAIN' || major >= 17);

const DML = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
const PRESETS = {
  read_only: { schema: ['USAGE'], tables: ['SELECT'], sequences: ['SELECT'], functions: undefined, types: undefined },
  read_write: { schema: ['USAGE'], tables: DML, sequences: ['USAGE', 'SELECT'], functions: ['EXECUTE'], types: ['USAGE'] },
  owner: { schema: ['USAGE', 'CREATE'], tables: ['ALL'], sequences: ['ALL'], functions: ['EXECUTE'], types: ['USAGE'] },
} as const;

const listOf = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value);
const pairsOf = (targets: Targets, actions: readonly Wish[]): (readonly [string, readonly Wish[]])[] =>
  Array.isArray(targets) ? (targets as readonly string[]).map((name) => [name, actions] as const) : Object.entries(targets as Record<string, readonly Wish[]>);

/** The rules that a block stands for, one for each database, schema and pattern. */
export function rulesOfBlock(block: Block, home: string, permission?: string): Rule[] {
  const actions = block.actions ?? [];
  const schemas = block.schemas === undefined ? [] : pairsOf(block.schemas, []);
  const preset = block.preset === undefined ? undefined : PRESETS[block.preset];
  const rules: Rule[] = [];
  const base = { schema: '', name: '*', column: '', implied: false, permission };
  const keys = Object.keys(KEYS) as Key[];
  const inSchema = new Set<Kind>(['table', 'sequence', 'function', 'type']);
  const namesObjects = keys.some((key) => block[key] !== undefined) || block.columns !== undefined;
  for (const database of listOf(block.database ?? block.databases ?? home)) {
    if (block.databasePrivileges !== undefined) rules.push({ ...base, kind: 'database', database, wishes: block.databasePrivileges });
    else if (block.actions !== undefined && !namesObjects && block.schemas === undefined) rules.push({ ...base, kind: 'database', database, wishes: actions });

    for (const key of keys) {
      const kind = KEYS[key];
      const pairs = block[key] === undefined ? [] : pairsOf(block[key], actions);
      const byPreset = preset !== undefined && key in preset ? preset[key as 'tables'] : undefined;
      if (byPreset !== undefined && !pairs.some(([name]) => name === '*')) pairs.push(['*', byPreset]);
      for (const [name, wishes] of pairs)
        if (inSchema.has(kind)) for (const [schema] of schemas) rules.push({ ...base, kind, database, schema, name, wishes });
        else rules.push({ ...base, kind, database: kind === 'tablespace' || kind === 'parameter' ? '' : database, name, wishes });
    }
    for (const [table, columns] of Object.entries(block.columns ?? {}))
      for (const [column, wishes] of Object.entries(columns))
        for (const [schema] of schemas) rules.push({ ...base, kind: 'column', database, schema, name: table, column, wishes });

    for (const [schema, own] of schemas) {
      const rule = { ...base, kind: 'schema' as const, database, schema };
      if (!Array.isArray(block.schemas)) rules.push({ ...rule, wishes: own });
      else if (preset !== undefined) rules.push({ ...rule, wishes: preset.schema });
      else if (!namesObjects) rules.push({ ...rule, wishes: block.actions ?? ['USAGE'] });
      const gives = rules.some((other) => other.schema === schema && other.kind !== 'schema' && other.wishes.length > 0);
      if (gives && (Array.isArray(block.schemas) || own.length > 0)) rules.push({ ...rule, wishes: ['USAGE'], implied: true });
    }
  }
  return rules;
}

/** All rules of a role or a user; undefined where it declares none and its privileges are left alone. */
export function rulesOf(document: PlainDocument, role: string, home: string): Rule[] | undefined {
  const declared = document.roles?.find(({ name }) => name === role);
  const user = document.users.find(({ username }) => username === role);
  const entry = declared ?? user;
  if (entry === undefined) return undefined;
  const direct = user?.privileges ?? undefined;
  if (entry.grants === undefined && entry.permissions === undefined && direct === undefined) return undefined;
  const rules = (entry.grants ?? []).flatMap((block) => rulesOfBlock(block, home));
  for (const name of entry.permissions ?? []) {
    const permission = document.permissions?.find((one) => one.name === name);
    if (permission !== undefined) rules.push(...rulesOfBlock(permission, home, name));
  }
  for (const [name, wishes] of Object.entries(direct ?? {})) {
    const [schema, table] = name.includes('.') ? [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)] : ['public', name];
    rules.push(...rulesOfBlock({ database: user?.database ?? home, schemas: [schema], tables: { [table]: wishes } }, home));
  }
  return rules;
}

export function modeOf(document: PlainDocument, role: string, home: string): Mode {
  if (rulesOf(document, role, home) === undefined) return 'alone';
  const entry = document.roles?.find(({ name }) => name === role) ?? document.users.find(({ username }) => username === role);
  return entry?.grantsMode === 'additive' ? 'additive' : 'authoritative';
}

/** Only `*` is special, and it also stands for nothing at all. */
function patternMatches(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*'))
    return Array.from({ length: text.length + 1 }, (_, skipped) => skipped).some((skipped) => patternMatches(pattern.slice(1), text.slice(skipped)));
  return pattern[0] === text[0] && patternMatches(pattern.slice(1), text.slice(1));
}

const isGlob = (pattern: string): boolean => pattern.includes('*');
/** 0 for `*`, the literal characters of a glob, and more than any of them for an exact name; one function of a name is above the name. */
const rankOfPattern = (pattern: string): number => (isGlob(pattern) ? pattern.replaceAll('*', '').length : pattern.endsWith(')') ? 10_000 : 1_000);
/** Object first (a column's table, then the column), then schema, then database. */
const rankOfRule = (rule: Rule): readonly number[] => [rule.name, rule.column, rule.schema, rule.database].map(rankOfPattern);

const compareRanks = (left: readonly number[], right: readonly number[]): number => {
  const different = left.findIndex((rank, index) => rank !== right[index]);
  return different === -1 ? 0 : (left[different] ?? 0) - (right[different] ?? 0);
};

export function ruleMatches(rule: Rule, object: ActualObject): boolean {
  if (rule.kind !== object.kind) return false;
  if (object.kind !== 'tablespace' && object.kind !== 'parameter' && !patternMatches(rule.database, object.database)) return false;
  if (!patternMatches(rule.schema, object.schema)) return false;
  if (!patternMatches(rule.column, object.column)) return false;
  if (object.extension && isGlob(rule.kind === 'schema' ? rule.schema : rule.name)) return false;
  if (object.kind === 'database' || object.kind === 'schema') return true;
  if (rule.kind === 'function' && rule.name.endsWith(')')) return rule.name.replaceAll(' ', '') === `${object.name}(${object.args})`.replaceAll(' ', '');
  return patternMatches(rule.name, object.name);
}

/** What these rules give on an object: those of the highest rank, and USAGE that is implied. */
export function heldBy(rules: readonly Rule[], object: ActualObject, major: number): Held {
  const matching = rules.filter((rule) => ruleMatches(rule, object));
  const explicit = matching.filter((rule) => !rule.implied);
  const best = explicit.filter((rule) => explicit.every((other) => compareRanks(rankOfRule(rule), rankOfRule(other)) >= 0));
  const held = new Map<string, boolean>();
  for (const wish of [...best, ...matching.filter((rule) => rule.implied)].flatMap((rule) => rule.wishes)) {
    const { privilege, grantable = false } = typeof wish === 'string' ? { privilege: wish } : wish;
    for (const name of privilege === 'ALL' ? allPrivileges(object.kind, major) : [privilege]) held.set(name, grantable || held.get(name) === true);
  }
  return held;
}

/** What a role should hold itself; undefined where the document does not say (it declares nothing, or the object is its own). */
export function expectedOf(document: PlainDocument, role: string, object: ActualObject, home: string, major: number): Held | undefined {
  const user = document.users.find(({ username }) => username === role);
  const connects = object.kind === 'database' && user !== undefined && [user.database ?? home, ...(user.databases ?? [])].includes(object.database);
  const rules = rulesOf(document, role, home);
  if (rules === undefined || object.owner === role) return undefined;
  const held = new Map(heldBy(rules, object, major));
  const hasNothing = rules.some((rule) => rule.kind === 'database' && rule.database === object.database && rule.wishes.length === 0);
  if (connects && !hasNothing && !held.has('CONNECT')) held.set('CONNECT', false);
  return held;
}

/** Two rules of one role that would answer with equal rank for the same object: the document contradicts itself. */
export function contradict(left: Rule, right: Rule): boolean {
  if (left.kind !== right.kind || left.implied || right.implied || compareRanks(rankOfRule(left), rankOfRule(right)) !== 0) return false;
  const same = (['name', 'column', 'schema', 'database'] as const).map((part) => left[part] === right[part]);
  // Different exact names never meet; of different globs this asks for no proof that they do.
  const apart = (['name', 'column', 'schema', 'database'] as const).some((part, index) => same[index] === false && !isGlob(left[part]));
  if (apart) return false;
  const addsUp = left.permission !== undefined && right.permission !== undefined && left.permission !== right.permission;
  return !(addsUp && same.every(Boolean) && left.wishes.length > 0 && right.wishes.length > 0);
}
