// Claims: whose a name is where several declare it. Whoever the ledger says has it; where nobody has it and two want it, neither gets it, and both are told.
import type { DatabaseDraft, DocumentDraft, MemberDraft } from './draft.ts';
import type { Author } from '../model/fleet.ts';
import { isWithin } from '../model/pattern.ts';
import { OPERATOR } from '../model/sources.ts';
import { turnNames } from '../model/turns.ts';
import { show } from './show.ts';

/** All documents of one source. */
export interface Group {
  readonly source: string;
  /** undefined: the operator, whose scope is everything. */
  readonly author: Author | undefined;
  readonly drafts: readonly DocumentDraft[];
}

/** What the ledger and all documents together say of names. */
export interface Claimed {
  /** Role → its source, as the ledger has it. */
  readonly recorded: ReadonlyMap<string, string>;
  /** Role → sources that declare it and may, as far as their scopes go. */
  readonly declared: ReadonlyMap<string, ReadonlySet<string>>;
  /** Role → the source that its present one hands it over to. */
  readonly handedOver: ReadonlyMap<string, string>;
  readonly databases: ReadonlyMap<string, ReadonlySet<string>>;
  /** A source as a message says it. */
  readonly sayOf: (source: string) => string;
}

export const membersOf = ({ users, roles }: Pick<DocumentDraft, 'users' | 'roles'>): readonly MemberDraft[] => [...users, ...roles];

export const namesIn = (drafts: readonly DocumentDraft[]): ReadonlySet<string> =>
  new Set(drafts.flatMap((draft) => membersOf(draft).flatMap(({ names }) => names)));

/** Where the name of an entry stands in it. */
export const nameKey = ({ path }: MemberDraft): string => (path[0] === 'users' ? 'username' : 'name');

const mayName = (group: Group, name: string): boolean => group.author === undefined || group.author.may.names.some((pattern) => isWithin(name, pattern));

const mayUse = (group: Group, database: string): boolean =>
  group.author === undefined || group.author.may.databases.some((pattern) => isWithin(database, pattern));

export function claimsOf(groups: readonly Group[], recorded: Claimed['recorded'], authorSource: (author: string) => string): Claimed {
  const own = groups.find(({ author }) => author === undefined)?.source;
  const sourceOfAuthor = (author: string): string => (author === OPERATOR && own !== undefined ? own : authorSource(author));
  const [declared, databases, handedOver] = [new Map<string, Set<string>>(), new Map<string, Set<string>>(), new Map<string, string>()];
  for (const group of groups)
    for (const draft of group.drafts) {
      for (const member of membersOf(draft)) for (const name of namesOf(member)) if (mayName(group, name)) addTo(declared, name, group.source);
      for (const member of membersOf(draft)) noteHandover(member, group.source, recorded, sourceOfAuthor, handedOver);
      for (const { name } of draft.databases) if (name !== undefined && mayUse(group, name)) addTo(databases, name, group.source);
    }
  const said = new Map(groups.map(({ source, author }) => [source, author === undefined ? 'the operator' : `the author ${author.name}`]));
  return { recorded, declared, databases, handedOver, sayOf: (source) => said.get(source) ?? `the source ${show(source)}` };
}

/** The names of an item, with those that are made for it. */
const namesOf = (member: MemberDraft): readonly string[] => [
  ...member.names,
  ...('entry' in member && (member as DocumentDraft['users'][number]).entry?.rotation?.strategy === 'two-users' ? member.names.flatMap(turnNames) : []),
];

function addTo(map: Map<string, Set<string>>, name: string, source: string): void {
  const set = map.get(name);
  if (set === undefined) map.set(name, new Set([source]));
  else set.add(source);
}

/** Only whoever has a role can hand it over. */
function noteHandover(
  member: MemberDraft,
  source: string,
  recorded: Claimed['recorded'],
  sourceOfAuthor: (author: string) => string,
  handedOver: Map<string, string>,
): void {
  if (member.movedTo === undefined) return;
  for (const name of member.names) if (recorded.get(name) === source) handedOver.set(name, sourceOfAuthor(member.movedTo));
}

/** Why something is not this source's. */
export interface Denial {
  readonly message: string;
  /** Whether it is so because others declare it as well. */
  readonly isByOthers: boolean;
}

const denied = (message: string, isByOthers = false): Denial => ({ message, isByOthers });

/** Of the two that log in for a user by turns, the one that is recorded as somebody else's. */
export function takenTurn(member: MemberDraft, { source }: Group, { recorded }: Claimed): string | undefined {
  return namesOf(member).find((name) => !member.names.includes(name) && (recorded.get(name) ?? source) !== source);
}

/** Why a name is not this source's; undefined where it is, or may become so. */
export function whyNotIts(name: string, group: Group, claimed: Claimed): Denial | undefined {
  const { recorded, declared, handedOver, sayOf } = claimed;
  const { source } = group;
  const owner = recorded.get(name);
  if (owner === source) return undefined;
  if (owner !== undefined) {
    const isHanded = handedOver.get(name) === source && mayName(group, name);
    return isHanded
      ? undefined
      : denied(`${show(name)} belongs to ${sayOf(owner)}, as the ledger says; it stays so until that one hands it over with \`movedTo\``);
  }
  if (!mayName(group, name))
    return denied(`the name ${show(name)} is beyond what this author may; it may declare the names: ${listed(group.author?.may.names ?? [])}`);
  const rivals = [...(declared.get(name) ?? [])].filter((other) => other !== source);
  return rivals.length === 0
    ? undefined
    : denied(
        `${show(name)} is declared by ${rivals.slice(0, 5).map(sayOf).join(' and ')} as well, and nobody has it yet: neither gets it until one of them takes its entry out`,
        true,
      );
}

/** Why a role that is handed over gets no other name: both are told of it by the one that it has. */
export const notTakenYet = (name: string, { source }: Group, { recorded }: Claimed): Denial | undefined =>
  (recorded.get(name) ?? source) === source
    ? undefined
    : denied(`${show(name)} is handed over by the name that it has: declare it so first, and rename it then`);

/** Whether a source has a role that it hands over to one that takes it. */
export function movesAway(name: string, group: Group, { recorded, handedOver, declared }: Claimed): string | undefined {
  const to = handedOver.get(name);
  return to !== undefined && to !== group.source && recorded.get(name) === group.source && declared.get(name)?.has(to) === true ? to : undefined;
}

/** Why a database is not this source's to speak of. The operator's word goes over that of authors. */
export function whyNotItsDatabase({ name }: DatabaseDraft, group: Group, { databases, sayOf }: Claimed, own: string): Denial | undefined {
  if (name === undefined || group.author === undefined) return undefined;
  if (!mayUse(group, name))
    return denied(`the database ${show(name)} is beyond what this author may; it may use the databases: ${listed(group.author.may.databases)}`);
  const rivals = [...(databases.get(name) ?? [])].filter((other) => other !== group.source);
  if (rivals.includes(own)) return denied(`the database ${show(name)} is declared by the operator`);
  return rivals.length === 0
    ? undefined
    : denied(
        `the database ${show(name)} is declared by ${rivals.slice(0, 5).map(sayOf).join(' and ')} as well: neither counts until one of them takes its entry out, and what is there stays`,
        true,
      );
}

const listed = (patterns: readonly string[]): string => (patterns.length === 0 ? 'none' : patterns.slice(0, 20).map(show).join(', '));
