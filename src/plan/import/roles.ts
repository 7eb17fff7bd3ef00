// Which roles of a server a document names, and the entry of each: logins under `users`, all others under `roles`.
import { nameProblem } from '../../document/names.ts';
import type { Written } from '../../document/write-yaml.ts';
import type { Role } from '../../model/cluster.ts';
import { isGlob } from '../../model/pattern.ts';
import { wishOf } from '../privileges/rules.ts';
import { attributesOf, commentOf } from './attributes.ts';
import { blocksOf } from './blocks.ts';
import { type Joined, writtenMemberships } from './memberships.ts';
import { whyUnsaid } from './sayable.ts';
import type { Holding, Mode, Remark, WholeServer } from './whole-server.ts';

/** Every role that is asked for, by its name; those that no document may name are told of. */
export function rolesToSay({ catalog, law, isWanted }: WholeServer): { readonly roles: readonly Role[]; readonly remarks: readonly Remark[] } {
  const remarks: Remark[] = [];
  const asked = [...catalog.cluster.roles.values()].filter(({ name }) => !name.startsWith('pg_') && isWanted(name));
  const roles = asked.filter((role) => {
    const why = law.refuseToManage(role.name) ?? nameProblem(role.name, role.login ? 'user' : 'role');
    if (why !== undefined) remarks.push({ subject: role.name, message: `is left out: ${why}` });
    return why === undefined;
  });
  return { roles: roles.toSorted((a, b) => (a.name < b.name ? -1 : 1)), remarks };
}

export interface RoleFacts {
  readonly whole: WholeServer;
  readonly holdings: readonly Holding[];
  readonly joined: readonly Joined[];
  readonly mode: Mode;
  readonly owns: (database: string, schema: string) => boolean;
}

export interface SaidRole {
  readonly under: 'users' | 'roles';
  readonly entry: ReadonlyMap<string, Written>;
  readonly remarks: readonly Remark[];
}

/** The entry of a role; undefined where none is wanted of it. */
export function entryOf(role: Role, facts: RoleFacts): SaidRole | undefined {
  if (facts.mode === 'out') return undefined;
  const homes = role.login ? homesOf(role, facts) : undefined;
  if (facts.mode === 'name' || (role.login && homes === undefined)) return { under: 'roles', entry: new Map([['name', role.name]]), remarks: [] };
  const remarks: Remark[] = [];
  const say = (message: string): void => void remarks.push({ subject: role.name, message });
  const entry = new Map<string, Written>([[role.login ? 'username' : 'name', role.name]]);
  const { said, unsaid } = homes === undefined ? commentOf(role) : attributesOf(role, homes.all);
  for (const message of unsaid) say(message);
  if (homes !== undefined) {
    entry.set('password', 'none');
    const [first, ...others] = homes.all;
    if (first !== undefined && first !== facts.whole.defaultDatabase) entry.set('database', first);
    if (others.length > 0) entry.set('databases', others);
  }
  const memberships = writtenMemberships(facts.joined);
  if (memberships.length > 0) entry.set(homes === undefined ? 'memberOf' : 'roles', memberships);
  for (const [key, value] of said) entry.set(key, value);
  if (facts.mode === 'bare') return { under: homes === undefined ? 'roles' : 'users', entry, remarks };
  const { blocks, isAll } = grantsOf(homes, facts, say);
  entry.set('grants', blocks);
  if (!isAll || facts.mode === 'additive') entry.set('grantsMode', 'additive');
  return { under: homes === undefined ? 'roles' : 'users', entry, remarks };
}

/** The databases of a user, its own first; `open` where it connects to that one by PUBLIC's right alone. */
interface Homes {
  readonly all: readonly string[];
  readonly isOpen: boolean;
}

/** @returns undefined where no database can be its own without more rights than it has. */
function homesOf(role: Role, { whole, holdings }: RoleFacts): Homes | undefined {
  const { databases } = whole.catalog;
  const { defaultDatabase } = whole;
  const onDatabases = holdings.filter(({ kind }) => kind === 'database');
  const connects = onDatabases.filter(({ wish }) => wish.get('CONNECT') === false).map(({ database }) => database);
  const owned = [...databases.values()].filter(({ owner }) => owner === role.name).map(({ name }) => name);
  const [first] = [...new Set([...connects, ...owned])].filter((name) => name === defaultDatabase).concat(connects.toSorted(), owned.toSorted());
  if (first !== undefined) return { all: [first, ...connects.toSorted().filter((name) => name !== first)], isOpen: false };
  // Anybody's, where it holds nothing itself, so that its grants can say so.
  const free = (name: string): boolean => databases.has(name) && !isGlob(name) && onDatabases.every(({ database }) => database !== name);
  const home = [defaultDatabase, ...[...databases.keys()].toSorted()].find(free);
  return home === undefined ? undefined : { all: [home], isOpen: true };
}

function grantsOf(
  homes: Homes | undefined,
  { whole, holdings, owns }: RoleFacts,
  say: (message: string) => void,
): { readonly blocks: Written; readonly isAll: boolean } {
  const { major } = whole.catalog.server;
  const reasons = new Map<string, Holding[]>();
  const note = (holding: Holding, why: string): void => void reasons.set(why, [...(reasons.get(why) ?? []), holding]);
  const sayable = holdings.filter((holding) => {
    const why = whyUnsaid(holding);
    if (why !== undefined) note(holding, why);
    return why === undefined;
  });
  const usage = new Map(sayable.flatMap(({ kind, database, name, wish }) => (kind === 'schema' ? [[JSON.stringify([database, name]), wish] as const] : [])));
  const kept = sayable.flatMap((holding): Holding[] => {
    const { database, kind, schema, wish } = holding;
    // What `database` and `databases` say is not said again.
    if (homes !== undefined && kind === 'database' && wish.get('CONNECT') === false) {
      const rest = wishOf([...wish].filter(([privilege]) => privilege !== 'CONNECT'));
      return rest.size === 0 ? [] : [{ ...holding, wish: rest }];
    }
    const onSchema = schema === '' ? undefined : usage.get(JSON.stringify([database, schema]));
    if (wish.size === 0 || onSchema === undefined || onSchema.has('USAGE') || owns(database, schema)) return [holding];
    note(holding, 'what is granted in a schema brings USAGE on it, where the role has another right on the schema and not this one');
    return [];
  });
  for (const [why, those] of reasons) say(`${those.length} of its grants cannot be said (${why}); they stay`);
  const [home] = homes?.isOpen === true ? homes.all : [];
  const nothing =
    home === undefined
      ? []
      : [
          new Map<string, Written>([
            ['database', home],
            ['databasePrivileges', []],
          ]),
        ];
  return { blocks: [...nothing, ...blocksOf(kept, { major, owns })], isAll: reasons.size === 0 };
}
