// Renaming: which roles get the names that the document has for them now, and why others do not. A role that was asked to be renamed is never removed, as
// its name stands in the document; and where it cannot be renamed no other one is made under the new name.
import { abilityOf } from './ability.ts';
import { keyOf } from '../changes/change.ts';
import type { Inability } from '../changes/inability.ts';
import type { Notice } from '../changes/notice.ts';
import { type Catalog, isSameRole, type ManagedRole, namesByOid } from '../model/catalog.ts';
import type { Document, Position } from '../model/entries.ts';
import { namesIn } from '../model/named.ts';
import { turnComment, turnNames } from '../model/turns.ts';
import { type Law, lawOf, type LawOptions } from './law/law.ts';
import { isMd5, type Rename, renamedCatalog } from './renamed-catalog.ts';

export interface Renaming {
  /** What is done now: everything else is planned as if it had been. */
  readonly renames: readonly Rename[];
  readonly blocked: readonly { readonly change: Rename; readonly inability: Inability }[];
  /** Those that failed lately, and are tried again. */
  readonly deferred: readonly Rename[];
  readonly notices: readonly Notice[];
  /** New names of roles that do not get them now, and how those are called: their entries do nothing. */
  readonly held: ReadonlyMap<string, string>;
  /** Who stays with a role that is not renamed, although no document names it. */
  readonly kept: ReadonlySet<string>;
}

export const NO_RENAMING: Renaming = { renames: [], blocked: [], deferred: [], notices: [], held: new Map(), kept: new Set() };

export interface RenamingOptions {
  readonly law: LawOptions;
  /** Whether an earlier failure makes a change wait (by its key). */
  readonly isDeferred: (key: string) => boolean;
}

/** An entry that says what its role was called. */
interface Wish {
  readonly name: string;
  readonly former: string;
  readonly entity: 'user' | 'role';
  readonly position: Position;
}

interface Facts {
  readonly document: Document;
  readonly catalog: Catalog;
  readonly law: Law;
}

/** Why a role does not get its name. */
interface Refusal extends Pick<Notice, 'message'> {
  readonly kind: 'cannot' | 'refused' | 'pending' | 'fallback';
  readonly keeps?: readonly string[];
}

/** What is renamed, and the catalog as it is then. */
export function withRenamed<T extends Catalog>(catalog: T, document: Document, options: RenamingOptions): { readonly catalog: T; readonly renaming: Renaming } {
  const wishes = wishesIn(document);
  const held = new Map(invalidIn(document, catalog));
  if (wishes.length === 0) return { catalog, renaming: { ...NO_RENAMING, held } };
  const facts = { document, catalog, law: lawOf(catalog, options.law, document) };
  const ability = abilityOf(catalog, []);
  const renaming = { renames: [] as Rename[], blocked: [] as { change: Rename; inability: Inability }[], deferred: [] as Rename[], notices: [] as Notice[] };
  const kept = new Set<string>();
  for (const wish of wishes) {
    const decision = decide(wish, facts);
    if (decision === undefined) continue;
    if ('message' in decision) {
      const { keeps = [], ...notice } = decision;
      renaming.notices.push({ ...notice, subject: wish.name, position: wish.position });
      for (const name of keeps) kept.add(name);
      // One that has its entry by right goes on as it is, whatever becomes of the other.
      if (decision.kind !== 'fallback' && !isOurs(wish.name, catalog)) held.set(wish.name, wish.former);
      continue;
    }
    const inability = ability(decision);
    const waits = options.isDeferred(keyOf(decision));
    if (inability === undefined && !waits) renaming.renames.push(decision);
    else held.set(wish.name, wish.former);
    if (inability !== undefined) renaming.blocked.push({ change: decision, inability });
    else if (waits) renaming.deferred.push(decision);
  }
  return { catalog: renamedCatalog(catalog, renaming.renames), renaming: { ...renaming, held, kept } };
}

const wishesIn = ({ users, roles }: Document): readonly Wish[] => [
  ...users.flatMap(({ username, renamedFrom, position, turn }): Wish[] =>
    renamedFrom === undefined || turn !== undefined ? [] : [{ name: username, former: renamedFrom, entity: 'user', position }],
  ),
  ...roles.flatMap(({ name, renamedFrom, position }): Wish[] => (renamedFrom === undefined ? [] : [{ name, former: renamedFrom, entity: 'role', position }])),
];

/** Entries that are wrong, and whose roles have not got their names yet: no other ones are made under them for those who name them. */
function invalidIn({ users, roles, invalidRenames = new Map() }: Document, { oids }: Catalog): readonly (readonly [string, string])[] {
  if (invalidRenames.size === 0) return [];
  const declared = new Set([...users.map(({ username }) => username), ...roles.map(({ name }) => name)]);
  return [...invalidRenames].filter(([name]) => !declared.has(name) && !oids.has(name));
}

/** Recorded, there, and still the very role that was recorded. */
const isOurs = (name: string, catalog: Catalog): boolean => {
  const row = catalog.managed.get(name);
  return row !== undefined && catalog.oids.has(name) && isSameRole(row, catalog);
};

/** What is done about one of them; undefined where nothing is left to do. */
function decide(wish: Wish, facts: Facts): Rename | Refusal | undefined {
  const { name, former } = wish;
  const { catalog } = facts;
  const row = catalog.managed.get(former);
  const isThere = catalog.oids.has(former);
  if (isThere && (row === undefined || isOurs(former, catalog))) return decideByName(wish, row ?? rowByOid(former, catalog), facts);
  // What was recorded on another server has no OID here.
  if (catalog.unsure.has(former)) return isOurs(name, catalog) ? undefined : refused(former, facts.law.refuseToManage(former) ?? '');
  const now = row === undefined || row.oid === 0 || catalog.absent.has(former) ? undefined : namesByOid(catalog.oids).get(row.oid);
  if (row !== undefined && now === name) return follow(wish, row, facts);
  if (isOurs(name, catalog)) return undefined;
  if (now !== undefined)
    return {
      kind: 'cannot',
      message: `is to be the role ${former}, which somebody renamed to ${now}, as the OID says: nothing is made under the name ${name}; write \`renamedFrom: ${now}\`, or rename it back`,
    };
  if (isThere)
    return {
      kind: 'cannot',
      message: `is to be the role ${former}, which somebody dropped, and made another one of that name: that is not renamed, and nothing is made under the name ${name}; take out \`renamedFrom\`, and ${name} is made`,
    };
  if (catalog.oids.has(name) || catalog.managed.has(name)) return undefined;
  return { kind: 'fallback', message: `there is no role ${former} that could be renamed, so ${name} is made anew` };
}

/** There is a role of the former name, ours or nobody's. */
function decideByName(wish: Wish, row: ManagedRole | undefined, facts: Facts): Rename | Refusal | undefined {
  const { name, former, entity } = wish;
  const { catalog, law, document } = facts;
  // It was done, and the old name is somebody else's by now.
  if (row === undefined && catalog.managed.has(name)) return undefined;
  if (catalog.oids.has(name))
    return {
      kind: 'cannot',
      message: `is to be the role ${former}, but there are roles of both names: neither is renamed or removed; drop or rename one of them by hand, or take out \`renamedFrom\``,
    };
  if (row !== undefined && row.source !== law.whose.of(name)) return refused(former, `it belongs to the source ${row.source}`);
  const other = row !== undefined && row.name !== former && row.name !== name && namesIn(document).has(row.name) ? row.name : undefined;
  if (other !== undefined) return refused(former, `it is the role ${other}, which somebody renamed, and the document names that as well`);
  const refusal = law.refuseToManage(former);
  if (refusal !== undefined) return refused(former, refusal);
  const lost = row?.name === name ? undefined : goneFrom(name, catalog);
  if (lost !== undefined) return wouldForget(wish, lost);
  // Its own notice says so.
  if (law.refuseToManage(name) !== undefined) return undefined;
  if (turnNames(former).some((one) => isOurs(one, catalog) && catalog.cluster.roles.get(one)?.comment === turnComment(former)))
    return {
      kind: 'cannot',
      message: `is to be the role ${former}, for which two users log in by turns, and they would keep its name: declare ${former} with \`strategy: in-place\` first, and rename it when they are gone`,
      keeps: turnNames(former),
    };
  if (row !== undefined && catalog.recognised.some(({ names }) => names.includes(row.name)))
    return { kind: 'pending', message: `is to be the role ${former}, which is recognised from another server first` };
  return {
    kind: 'rename_role',
    role: name,
    from: former,
    recorded: row?.name,
    oid: catalog.oids.get(former) ?? 0,
    entity,
    clearsPassword: isMd5(catalog.verifiers.get(former)),
  };
}

/** Somebody did it by hand: what is remembered goes with the role. */
function follow(wish: Wish, row: ManagedRole, { catalog, law }: Facts): Rename | Refusal | undefined {
  const { name, former, entity } = wish;
  const source = law.whose.of(name);
  if (row.source !== source) return refused(former, `it belongs to the source ${row.source}`);
  // Under its new name it looks like a role that was there before us.
  if (law.protects(name) !== undefined || (catalog.managed.get(name)?.source ?? source) !== source) return undefined;
  const lost = goneFrom(name, catalog);
  if (lost !== undefined) return wouldForget(wish, lost);
  if (catalog.recognised.some(({ names }) => names.includes(row.name))) return { kind: 'pending', message: `is recognised from another server first` };
  return { kind: 'rename_role', role: name, from: name, recorded: row.name, oid: row.oid, entity, clearsPassword: false };
}

/** How the role is called now that is recorded by a name, where somebody renamed it and nothing else is recorded of it: another one's record would take the place of its. */
function goneFrom(name: string, { managed, oids, unsure, absent }: Catalog): string | undefined {
  const row = managed.get(name);
  if (row === undefined || row.oid === 0 || unsure.has(name) || absent.has(name)) return undefined;
  const now = namesByOid(oids).get(row.oid);
  return now === undefined || now === name || managed.get(now)?.oid === row.oid ? undefined : now;
}

const wouldForget = ({ name, former }: Wish, now: string): Refusal => ({
  kind: 'cannot',
  message: `is to be the role ${former}, but the role that is ours as ${name} is called ${now} now, as the OID says: somebody renamed it, and with its record it would be forgotten; rename it back, drop it, or declare it as ${now} first`,
});

/** As what a role is recorded that somebody renamed. */
const rowByOid = (name: string, { managed, oids, unsure, absent }: Catalog): ManagedRole | undefined =>
  [...managed.values()].find((row) => row.oid !== 0 && row.oid === oids.get(name) && !unsure.has(row.name) && !absent.has(row.name));

const refused = (former: string, reason: string): Refusal => ({
  kind: 'refused',
  message: `is to be the role ${former}, whose renaming is refused: ${reason}`,
});
