// CONNECT: on which databases a user is to have it, and who grants it there.
import type { Catalog } from '../model/catalog.ts';
import type { ConnectGrant } from '../model/cluster.ts';
import type { UserEntry } from '../model/entries.ts';
import type { Notice } from '../changes/notice.ts';
import { createByTwo } from '../model/by-two.ts';
import { onceFor } from '../model/once-for.ts';
import { actingOf } from './privileges/acting.ts';
import { compileRules } from './privileges/rules.ts';

export interface ConnectsInput {
  readonly catalog: Catalog;
  readonly defaultDatabase: string;
}

/** The databases that it connects to. */
export const homes = (user: UserEntry, defaultDatabase: string): ReadonlySet<string> => new Set([user.database ?? defaultDatabase, ...user.databases]);

/** CONNECT on the user's databases, but for those of which its own rules say that it has nothing there, and where they give it: database → WITH GRANT OPTION. */
function wantedConnects(user: UserEntry, catalog: Catalog, defaultDatabase: string): ReadonlyMap<string, boolean> {
  const wanted = new Map<string, boolean>();
  for (const name of homes(user, defaultDatabase)) wanted.set(name, false);
  if (user.rules === undefined) return wanted;
  const scope = compileRules(user.rules, { major: catalog.server.major, defaultDatabase }).scope('database', '', '');
  for (const { name, exactOnly } of catalog.databases.values()) {
    const grantable = (exactOnly === true ? scope.findExact(name) : scope.find(name))?.get('CONNECT');
    if (grantable !== undefined) wanted.set(name, grantable);
    // It may connect by PUBLIC's right, as on most servers that are adopted.
    else if (scope.findExact(name)?.size === 0) wanted.delete(name);
  }
  return wanted;
}

const heldConnects = onceFor((grants: Catalog['cluster']['grants']) => {
  const held = createByTwo<true>();
  for (const { object, grantee } of grants) held.set(object.name, grantee, true);
  return held;
});

/** Adds what is wanted to `grants`, and what waits to `notices`. */
export function needConnects(user: UserEntry, { catalog, defaultDatabase }: ConnectsInput, grants: ConnectGrant[], notices: Notice[]): void {
  for (const [name, grantable] of wantedConnects(user, catalog, defaultDatabase)) {
    const database = catalog.databases.get(name);
    if (database === undefined) {
      notices.push({ kind: 'pending', subject: user.username, position: user.position, message: `CONNECT on database ${name} waits until it exists` });
      continue;
    }
    // An owner connects by its own right, and the server keeps no entry of it.
    if (database.owner === user.username) continue;
    // Where our GRANT would only draw a warning and everybody may connect anyway, nothing is missing; what it has all the same is wanted.
    const isOutOfReach = !database.mayGrant && database.publicConnect && actingOf(catalog).inability(database.owner) !== undefined;
    if (isOutOfReach && heldConnects(catalog.cluster.grants).get(name, user.username) !== true) continue;
    grants.push({ object: { kind: 'database', name }, grantee: user.username, grantor: database.owner, privilege: 'CONNECT', grantable });
  }
}
