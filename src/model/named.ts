// Every role that a document mentions, valid or not: none of them is removed.
import type { DatabaseEntry, Document } from './entries.ts';
import { onceFor } from './once-for.ts';

/** Names of users and roles, also those that they had, of what they are members of, and of those that own something. */
export const namesIn = onceFor((document: Document): ReadonlySet<string> => {
  const names = new Set<string>([...document.invalid, ...(document.invalidRenames?.values() ?? [])]);
  for (const user of document.users) {
    names.add(user.username);
    if (user.renamedFrom !== undefined) names.add(user.renamedFrom);
    for (const role of user.roles) names.add(role.name);
    if (user.assumeRole !== undefined) names.add(user.assumeRole);
  }
  for (const role of document.roles) {
    names.add(role.name);
    if (role.renamedFrom !== undefined) names.add(role.renamedFrom);
    for (const entry of role.memberOf ?? []) names.add(entry.name);
  }
  for (const owner of ownersIn(document)) names.add(owner);
  for (const entry of document.databases) for (const role of entry.createdBy) names.add(role);
  return names;
});

/** Roles that one database and its schemas are to be owned by. */
export const ownersOf = ({ owner, schemas }: Pick<DatabaseEntry, 'owner' | 'schemas'>): readonly string[] =>
  [owner, ...schemas.map((schema) => schema.owner)].filter((name) => name !== undefined);

export const ownersIn = ({ databases }: Pick<Document, 'databases'>): readonly string[] => databases.flatMap(ownersOf);

/** Users and roles with an entry of their own. */
export const declaredNames = onceFor(
  ({ users, roles }: Document): ReadonlySet<string> => new Set([...users.map((user) => user.username), ...roles.map((role) => role.name)]),
);

/** Those, what they are members of, and owners: whom else a document names it only speaks of. */
export const wantedNames = onceFor(
  (document: Document): ReadonlySet<string> =>
    new Set([
      ...declaredNames(document),
      ...document.users.flatMap(({ roles }) => roles.map(({ name }) => name)),
      ...document.roles.flatMap(({ memberOf = [] }) => memberOf.map(({ name }) => name)),
      ...ownersIn(document),
    ]),
);

/** Users and roles whose entries declare privileges: theirs are compared. */
export const declaringNames = onceFor(
  ({ users, roles }: Document): ReadonlySet<string> =>
    new Set([
      ...users.filter((user) => user.rules !== undefined).map((user) => user.username),
      ...roles.filter((role) => role.rules !== undefined).map((role) => role.name),
    ]),
);

/** Those of whom nothing is revoked. */
export const additiveNames = onceFor(
  ({ users, roles }: Document): ReadonlySet<string> =>
    new Set([
      ...users.filter((user) => user.additive === true).map((user) => user.username),
      ...roles.filter((role) => role.additive).map((role) => role.name),
    ]),
);

/** Those whose entries of ACLs a plan looks at: beside the declaring, the owners of databases. */
export const comparedNames = (document: Document): ReadonlySet<string> =>
  new Set([...declaringNames(document), ...document.databases.flatMap((entry) => entry.owner ?? [])]);

/** What the roles of entries were called: new name → former one. */
export const formerNames = onceFor(({ users, roles }: Document): ReadonlyMap<string, string> => {
  const names = new Map<string, string>();
  for (const { username, renamedFrom } of users) if (renamedFrom !== undefined) names.set(username, renamedFrom);
  for (const { name, renamedFrom } of roles) if (renamedFrom !== undefined) names.set(name, renamedFrom);
  return names;
});

/** These, also by the names that their roles had: until one is renamed, the server knows it by that alone. */
export function withFormerNames(names: Iterable<string>, document: Document): ReadonlySet<string> {
  const former = formerNames(document);
  const all = new Set<string>();
  for (const name of names) all.add(name).add(former.get(name) ?? name);
  return all;
}
