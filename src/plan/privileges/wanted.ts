// Which lines of a document want a link of a path: a membership, an entry of an ACL, an owner, a login.
import type { Step } from '../../explain/origins.ts';
import { type ObjectName, PUBLIC } from '../../model/contents.ts';
import type { Document, GrantRule, Position } from '../../model/entries.ts';
import { KINDS, type ObjectKind } from '../../model/kinds.ts';
import { decidingRules, type RuleFacts } from './rules.ts';

/** The object that is asked about. */
export interface WantedObject {
  readonly kind: ObjectKind;
  /** The one that it is in; of a database, itself. */
  readonly database: string;
  readonly schema: string | undefined;
  readonly name: string;
  /** Of a routine, the types of its input arguments as rules name them. */
  readonly shownTypes: string | undefined;
  readonly column: string | undefined;
  /** Patterns leave it out, as members of extensions. */
  readonly exactOnly: boolean;
}

/** The places, in the document's order. */
export function wantedBy(step: Step, object: WantedObject, document: Document, facts: RuleFacts): readonly Position[] {
  const { users, roles, databases } = document;
  if (step.what === 'membership') {
    const entries = [...users.map(({ username: name, roles: memberOf }) => ({ name, memberOf })), ...roles];
    return entries
      .filter(({ name }) => name === step.member)
      .flatMap(({ memberOf }) => (memberOf ?? []).filter(({ name }) => name === step.role).map(({ position }) => position));
  }
  // A document makes nobody a superuser.
  if (step.what === 'attribute')
    return step.attribute === 'LOGIN' ? users.filter(({ username, login }) => login && username === step.role).map(({ position }) => position) : [];
  if (step.what === 'ownership') {
    const entries = databases.filter(({ name }) => name === object.database);
    if (step.of === 'database' || object.kind === 'database') return entries.filter(({ owner }) => owner === step.role).map(({ position }) => position);
    if (object.kind !== 'schema') return [];
    return entries.flatMap(({ schemas }) => schemas.filter(({ name, owner }) => name === object.name && owner === step.role).map(({ position }) => position));
  }
  return [...new Set([...byRules(step, object, document, facts), ...byHome(step, object, document, facts)])];
}

/** Of the role itself, or of PUBLIC. */
function rulesOf(role: string, { users, roles, databases }: Document): readonly GrantRule[] {
  if (role === PUBLIC) return databases.flatMap((entry) => entry.public);
  return [...users.filter(({ username }) => username === role), ...roles.filter(({ name }) => name === role)].flatMap(({ rules }) => rules ?? []);
}

function byRules(
  { role, privilege, column }: Extract<Step, { what: 'grant' }>,
  object: WantedObject,
  document: Document,
  facts: RuleFacts,
): readonly Position[] {
  const kind: ObjectKind = column !== undefined ? 'column' : object.kind === 'column' ? 'table' : object.kind;
  const name: ObjectName =
    column !== undefined
      ? { table: object.name, column }
      : kind === 'function'
        ? { name: object.name, shown: object.shownTypes ?? '', types: [], modes: undefined }
        : object.name;
  const place = {
    kind,
    name,
    exactOnly: object.exactOnly,
    database: KINDS[kind].scope === 'cluster' ? '' : object.database,
    schema: kind === 'schema' ? '' : (object.schema ?? ''),
  };
  return decidingRules(rulesOf(role, document), facts, place).flatMap(({ rule, wish }) => (wish.has(privilege) ? [rule.position] : []));
}

/** A user may connect to its databases without saying so. */
function byHome(
  { role, privilege }: Extract<Step, { what: 'grant' }>,
  { kind, name }: WantedObject,
  { users }: Document,
  { defaultDatabase }: RuleFacts,
): readonly Position[] {
  if (kind !== 'database' || privilege !== 'CONNECT') return [];
  return users.filter((user) => user.username === role && [user.database ?? defaultDatabase, ...user.databases].includes(name)).map(({ position }) => position);
}
