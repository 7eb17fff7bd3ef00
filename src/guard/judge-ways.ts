// Judge of ways: what a gift would break through views and functions that act with the rights of their owner.
import { linksOf, walkBack } from '../explain/links.ts';
import { type ObjectName, ownName, PUBLIC } from '../model/contents.ts';
import { type Breach, behind, breachOf, type Court, type Judgement } from './court.ts';
import type { Entrance } from './definer-index.ts';
import type { Gift } from './gifts.ts';
import { granted, ownerHolder } from './held.ts';
import { guardedOnViews } from './views.ts';
import { entranceKey, entrancesByName, entrancesByOwner, entrantOf, NO_WAYS } from './ways.ts';

/** Whoever gets at what these are given through what they own, also where the guardrail leaves them out. */
export function behindOwner(court: Court, roles: readonly string[]): Breach | undefined {
  const { entrances, unknown } = court.ways;
  if (unknown !== undefined) return unknownBreach(court, roles[0] ?? '');
  if (entrances.length === 0) return undefined;
  const actors = new Map(walkBack(court.realm, roles, ({ inherit }) => inherit));
  const byOwner = entrancesByOwner(court.ways);
  // A Map's iteration also visits what is added while it runs.
  for (const [actor] of actors)
    for (const { entries, to } of byOwner.get(actor) ?? [])
      for (const entry of entries) {
        const { grantee } = entry;
        const found = behind(court, grantee, { ...to, holder: entrantOf(entry) });
        if (found !== undefined) return found;
        for (const [more, link] of grantee === PUBLIC ? [] : walkBack(court.realm, [grantee], ({ inherit }) => inherit))
          if (!actors.has(more)) actors.set(more, link);
      }
  return undefined;
}

/** By a grant on an entrance, or as the new owner of one. */
export function enteredBy(court: Court, gift: Exclude<Gift, { what: 'link' | 'login' }>): Judgement | undefined {
  if (gift.what !== 'access' || court.ways === NO_WAYS) return undefined;
  const { entrances, unknown } = court.ways;
  const mayEnter = gift.kind === 'function' ? court.rail.through.definer === true : gift.kind === 'table' || gift.kind === 'column';
  if (!mayEnter) return undefined;
  if (unknown !== undefined) {
    const privileges = gift.privileges.filter((one) =>
      gift.kind === 'function' ? one === 'EXECUTE' : guardedOnViews(court.rail, court.state.major).includes(one),
    );
    return privileges.length === 0 ? undefined : { breach: unknownBreach(court, gift.role), names: [], privileges };
  }
  const those = entrancesByName(court.ways);
  const found: { readonly entrance: Entrance; readonly name: ObjectName }[] =
    entrances.length === 0
      ? []
      : gift.names.flatMap((name) =>
          (those.get(entranceKey(gift.kind === 'column' ? 'table' : gift.kind, gift.schema, gift.kind === 'column' ? ownName(name) : name)) ?? []).flatMap(
            (entrance) => ((gift.owns ? entrance.owners.includes(gift.role) : gift.privileges.includes(entrance.privilege)) ? [{ entrance, name }] : []),
          ),
        );
  const [first] = found;
  if (first === undefined) return undefined;
  const holder = gift.owns ? ownerHolder(gift.role) : granted(gift.role, '');
  const breach = gift.owns ? behindOwner(court, [gift.role]) : (behind(court, gift.role, { ...first.entrance.to, holder }) ?? behindOwner(court, [gift.role]));
  if (breach === undefined) return undefined;
  return { breach, names: found.map(({ name }) => name), privileges: found.map(({ entrance }) => entrance.privilege) };
}

/** Whoever inherits from somebody that gets at it gives the same to what it owns, also where the guardrail leaves both out. */
export function linkToOwner(court: Court, member: string, role: string, gift: Extract<Gift, { what: 'link' }>): Judgement | undefined {
  if (court.ways === NO_WAYS || !gift.inherit || (gift.database !== undefined && gift.database !== court.database)) return undefined;
  if (!court.ways.isAble(role) || !inheritsNow(court, member, role, gift)) return undefined;
  const breach = behindOwner(court, [member]);
  return breach && { breach, names: [], privileges: [] };
}

/** Of a membership that is given with others, whether the member inherits. */
const inheritsNow = ({ realm }: Court, member: string, role: string, gift: Extract<Gift, { what: 'link' }>): boolean =>
  gift.database !== undefined ||
  linksOf(realm)
    .ofMember.get(member)
    ?.find((one) => one.role === role)?.inherit === true;

const unknownBreach = (court: Court, who: string): Breach => ({
  ...breachOf(court, who, { privilege: court.rail.never.join(', '), on: `what the guardrail is about in database ${court.database}` }),
  path: undefined,
});
