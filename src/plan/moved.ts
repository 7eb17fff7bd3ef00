// A moved server: what was recorded elsewhere is found here again by name, where the roles themselves show that they are the same, or the operator
// says so. Everything else waits: it is neither touched nor forgotten.
import type { Catalog, ManagedRole, Place, Recognised } from '../model/catalog.ts';
import type { Change } from '../changes/change.ts';
import { firstNames } from '../model/first-names.ts';
import type { Notice } from '../changes/notice.ts';
import { isForeign } from './secrets/password-check.ts';

type Facts = Pick<Catalog, 'oids' | 'verifiers' | 'managed'> & { readonly server: Pick<Catalog['server'], 'place'> };

/** What the operator calls a server of which nothing was recorded. */
const UNKNOWN_SERVER = 'unknown';

type Lineage = 'same' | 'upgraded' | 'open' | 'other';

/**
 * How the place of a record relates to this one. OIDs of tables are new in whatever a dump was restored into, and the same in every physical copy:
 * a standby, a snapshot, a restore to a point in time; pg_upgrade keeps them as well, under a new system identifier.
 */
function lineageOf(then: Place, now: Place): Lineage {
  const known = then.server !== null && now.server !== null;
  const sameServer = known && then.server === now.server;
  if (then.ledger !== null && then.ledger === now.ledger) return known && !sameServer ? 'upgraded' : 'same';
  if (known && !sameServer) return 'other';
  return sameServer && (then.ledger === null || now.ledger === null) ? 'same' : 'open';
}

/** How it is known of one record that its role is the one of its name here; `no` says that something speaks against it. */
type Sign = 'oids' | 'passwords' | 'word' | 'no' | 'none';

/**
 * The catalog with what was recorded elsewhere found again. On one and the same server another OID goes on meaning another role.
 * @param movedFrom the server that the operator says this one was made from.
 */
export function withRecognised<T extends Facts>(catalog: T, movedFrom: string | undefined): T & Pick<Catalog, 'managed' | 'recognised' | 'unsure' | 'absent'> {
  const now = catalog.server.place;
  if (isRecordedHere(catalog.managed, now)) return { ...catalog, recognised: [], unsure: new Map(), absent: new Map() };
  const recorded = [...catalog.managed.values()].filter((role) => role.oid !== 0);
  const managed = new Map(catalog.managed);
  const recognised: Recognised[] = [];
  const unsure = new Map<string, string | null>();
  const absent = new Map<string, { from: string | null; awaited: boolean }>();
  for (const [from, roles] of Map.groupBy(recorded, (role) => role.place.server)) {
    const isEqual = (role: ManagedRole): boolean => role.oid === catalog.oids.get(role.name);
    const isMostlyEqual = (lineage: Lineage): boolean => {
      const some = roles.filter((role) => catalog.oids.has(role.name) && lineageOf(role.place, now) === lineage);
      return 2 * some.filter(isEqual).length > some.length;
    };
    // Nothing was recorded, or a ledger was put back: the roles of a server that is still the same have their OIDs, but for some that somebody made anew.
    const isHere = isMostlyEqual('open');
    const isUpgrade = isMostlyEqual('upgraded');
    const moved = roles.filter((role) => {
      const lineage = lineageOf(role.place, now);
      if (lineage === 'same' || (lineage === 'open' && isHere)) return false;
      return !(lineage === 'upgraded' && isUpgrade) || isEqual(role);
    });
    const elsewhere = moved.filter((role) => catalog.oids.has(role.name));
    const signs = new Map(elsewhere.map((role): [ManagedRole, Sign] => [role, signOf(role, from, catalog, movedFrom)]));
    const proven = [...signs.values()].filter((sign) => sign === 'passwords').length;
    const refuted = [...signs.values()].filter((sign) => sign === 'no').length;
    const byWay = Map.groupBy(elsewhere, (role) => {
      const sign = signs.get(role) ?? 'none';
      // Roles without a password came with those that have one.
      return sign === 'none' && proven > refuted ? 'passwords' : sign;
    });
    // A database may have been restored before the roles.
    const awaited = movedFrom !== (from ?? UNKNOWN_SERVER) && [...byWay.keys()].every((sign) => sign === 'no' || sign === 'none');
    for (const role of moved) if (!catalog.oids.has(role.name) && (from !== null || role.place.ledger !== null)) absent.set(role.name, { from, awaited });
    for (const [by, some] of byWay) {
      if (by === 'no' || by === 'none') {
        for (const role of some) unsure.set(role.name, from);
        continue;
      }
      const names = some.map((role) => role.name).toSorted();
      recognised.push({ from, by, names, oids: names.map((name) => catalog.oids.get(name) ?? 0) });
      for (const role of some) managed.set(role.name, { ...role, oid: catalog.oids.get(role.name) ?? 0, place: now });
    }
  }
  return { ...catalog, managed, recognised, unsure, absent };
}

/** As nearly always: then there is nothing to recognise. */
function isRecordedHere(managed: Facts['managed'], now: Place): boolean {
  for (const role of managed.values()) if (role.oid !== 0 && lineageOf(role.place, now) !== 'same') return false;
  return true;
}

function signOf(role: ManagedRole, from: string | null, catalog: Facts, movedFrom: string | undefined): Sign {
  if (lineageOf(role.place, catalog.server.place) === 'upgraded' && role.oid === catalog.oids.get(role.name)) return 'oids';
  if (movedFrom === (from ?? UNKNOWN_SERVER)) return 'word';
  // The salt of a verifier is drawn by us, and no other role has it, unless somebody took pains to.
  if (role.witness === null || role.witness.salt === '' || (catalog.verifiers.get(role.name) ?? null) === null) return 'none';
  return isForeign(role.name, catalog) ? 'no' : 'passwords';
}

/** What is written down of roles that were recognised. */
export const recognitions = ({ recognised }: Pick<Catalog, 'recognised'>): Change[] =>
  recognised.map((some) => ({ kind: 'recognise_roles', role: '', ...some }));

/** Why nothing is done about a role that nobody can tell for sure; undefined where that is not so. */
export function reasonToWait(name: string, { unsure }: Pick<Catalog, 'unsure'>): string | undefined {
  const from = unsure.get(name);
  return from === undefined
    ? undefined
    : `it was recorded on ${serverWords(from)}, and nothing shows that the role of this name here is the same; ${movedFromWords(from)} says that it is`;
}

/** What becomes of one that no role here has, as a reason; undefined where it was recorded here. */
export function reasonOfAbsence(name: string, { absent }: Pick<Catalog, 'absent'>): { readonly awaited: boolean; readonly reason: string } | undefined {
  const found = absent.get(name);
  if (found === undefined) return undefined;
  const where = serverWords(found.from);
  return found.awaited
    ? {
        awaited: true,
        reason: `it was recorded on ${where}, and no role that was is here yet; ${movedFromWords(found.from)} says that none will come`,
      }
    : { awaited: false, reason: `it did not come along from ${where}` };
}

/** Of several servers each has its own. */
const movedFromWords = (from: string | null): string => `MOVED_FROM=${from ?? UNKNOWN_SERVER} (of several servers: \`movedFrom\` in its \`policy\`)`;

const serverWords = (server: string | null): string => (server === null ? 'a server that is not known' : `the server ${server}`);

/** What is said as a whole, for each server of which roles wait. */
export function movedNotices({ unsure, server }: Pick<Catalog, 'unsure' | 'server'>): Notice[] {
  return [...Map.groupBy(unsure, ([, from]) => from)].map(([from, entries]): Notice => {
    const names = entries.map(([name]) => name).toSorted();
    const message = `what is ours was recorded on ${serverWords(from)}, and this is ${serverWords(server.place.server)}: nothing shows whether ${names.length} role(s) of these names here are the same (${firstNames(names)}), so none of them is changed, removed or forgotten; if this server was made from that one together with its roles, set ${movedFromWords(from)}, and otherwise see docs/moving.md`;
    return { kind: 'cannot', subject: '', message };
  });
}
