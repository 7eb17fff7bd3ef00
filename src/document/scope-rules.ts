// What an author may grant: objects in schemas of its databases, to roles of its own, and not with the right to pass them on.
import { isSystemSchema } from '../model/contents.ts';
import type { GrantRule } from '../model/entries.ts';
import { KINDS } from '../model/kinds.ts';
import { isEverything, isWithin } from '../model/pattern.ts';
import type { Finding, ScopeFacts } from './scope-facts.ts';
import { show } from './show.ts';

/** Privileges on a database that lead nowhere else within it. */
const ON_DATABASES: ReadonlySet<string> = new Set(['CONNECT', 'TEMPORARY', 'TEMP']);

/** Lists of rules that several entries share are judged once for each. */
const PATHS = ['grants'] as const;

/** What rules give beyond a scope. One finding for each rule at most. */
export function ruleFindings(rules: readonly GrantRule[], facts: ScopeFacts): readonly Finding[] {
  return rules.flatMap((rule): Finding[] => {
    const message = problemOf(rule, facts);
    return message === undefined ? [] : [{ path: PATHS, message, position: rule.position }];
  });
}

function problemOf(rule: GrantRule, { scope, defaultDatabase }: ScopeFacts): string | undefined {
  const { kind, schema, privileges } = rule;
  const place = KINDS[kind].scope;
  if (place === 'cluster' && kind !== 'database')
    return `privileges on ${KINDS[kind].keyword.toLowerCase()}s are of the whole server, so only the operator gives them`;
  const database = rule.database ?? defaultDatabase;
  if (database !== undefined && !within(database, scope.databases))
    return `${rule.database === undefined ? 'the block names no database, and ' : ''}the database ${show(database)} is beyond what this author may; it may grant in the databases: ${listed(scope.databases)}`;
  if (privileges.some(({ grantable }) => grantable)) return 'an author may not give the right to pass a privilege on; take `grantable` away';
  const everySchema = scope.schemas.some(isEverything);
  if (kind === 'database') {
    const further = privileges.find(({ privilege }) => !ON_DATABASES.has(privilege));
    return further === undefined || everySchema
      ? undefined
      : `${further.privilege} on a database is about all of its schemas; this author may grant in the schemas: ${listed(scope.schemas)}`;
  }
  // A schema is an object of its database as well, and its pattern stands where that of other kinds' schema does.
  if (kind !== 'schema' && place !== 'schema') return `privileges on ${KINDS[kind].keyword.toLowerCase()}s are in no schema, so only the operator gives them`;
  if (isSystemSchema(schema)) return `the schema ${show(schema)} belongs to the server or to pgsteward`;
  return within(schema, scope.schemas)
    ? undefined
    : `the schema ${show(schema)} is beyond what this author may; it may grant in the schemas: ${listed(scope.schemas)}`;
}

/** Whether everything that a pattern means is also meant by one of the scope's: where that is not certain it is not. */
const within = (pattern: string, scope: readonly string[]): boolean => scope.some((wider) => isWithin(pattern, wider));

const listed = (patterns: readonly string[]): string => (patterns.length === 0 ? 'none' : patterns.slice(0, 20).map(show).join(', '));
