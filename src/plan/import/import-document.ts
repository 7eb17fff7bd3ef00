// A server → the document that says of it what is so, and what is to be said beside it. What a plan would still change makes it say less of that role, until the plan is empty.
import type { InParts } from '../../model/in-parts.ts';
import { parseDocument } from '../../document/parse.ts';
import { type Written, yamlOf } from '../../document/write-yaml.ts';
import { type Change, sentenceOf, subjectOf } from '../../changes/change.ts';
import { definitionOf } from '../../changes/table.ts';
import type { Document } from '../../model/entries.ts';
import { ownName, PUBLIC } from '../../model/contents.ts';
import type { Plan, PlanInput } from '../plan-input.ts';
import { planOf } from '../plan.ts';
import { DATABASE_OWNER } from '../privileges/acting.ts';
import { databaseEntries } from './databases.ts';
import { folding } from './everything.ts';
import { holdingsOf } from './holdings.ts';
import { joinedBy } from './memberships.ts';
import { entryOf, rolesToSay } from './roles.ts';
import { whySomeCreators } from './some-creators.ts';
import { contentsOf, type Holding, type Mode, MODES, type Remark, unreadOf, type WholeServer } from './whole-server.ts';

export interface Imported {
  readonly text: string;
  /** What the text says, as whoever reads it would find. */
  readonly document: Document;
  /** What a cycle with it would do on this server. */
  readonly plan: Plan;
  readonly remarks: readonly Remark[];
  /** Everything could be read that the document is about. */
  readonly isWhole: boolean;
}

/** What a plan is made of beside the document and the server. */
export type PlanFacts = Omit<PlanInput, 'document' | 'catalog' | 'readings' | 'adminDatabase' | 'defaultDatabase'>;

/** The name under which problems of the document are told. */
export const IMPORTED = 'users.yaml';

/** The document of a server. Every role that a plan would change by it is said less of, step by step. */
export function* importOf(whole: WholeServer, facts: PlanFacts): InParts<Imported> {
  const { catalog, readings, adminDatabase, defaultDatabase } = whole;
  const modes = new Map<string, Mode>();
  const unread = unreadOf(whole);
  // What nobody could look at is in no grants: where these were all that is to be, it would be taken as soon as it can be read.
  const most: Mode = unread.length === 0 ? 'exact' : 'additive';
  const unseen = unread.map((subject) => ({
    subject,
    message: 'what roles hold in the database could not be looked at: they are written as grantsMode: additive, and keep it; import again once it can be read',
  }));
  const lowered: Remark[] = [];
  const ofSome = whySomeCreators(whole);
  for (;;) {
    const { text, remarks } = compose(whole, modes, most);
    yield;
    const document = parseDocument(Buffer.from(text), IMPORTED, defaultDatabase);
    const plan = yield* planOf({ ...facts, document, catalog, readings, adminDatabase, defaultDatabase });
    const wrong = wrongAbout(plan, document, ofSome);
    const moved = [...wrong].filter(([subject]) => modes.get(subject) !== 'out');
    for (const [subject, why] of moved) {
      const mode = next(modes.get(subject) ?? most);
      modes.set(subject, mode);
      lowered.push({ subject, message: `${LOWERED[mode]}: ${why}` });
    }
    if (moved.length === 0) return { text, document, plan, remarks: [...remarks, ...unseen, ...last(lowered)], isWhole: unread.length === 0 };
  }
}

const next = (mode: Mode): Mode => MODES[MODES.indexOf(mode) + 1] ?? 'out';

const LOWERED: Readonly<Record<Mode, string>> = {
  exact: '',
  additive: 'is written as grantsMode: additive, as not all that it holds can be said',
  bare: 'is written without grants, and keeps what it holds',
  name: 'is only named, and stays as it is',
  out: 'is left out',
};

/** Of each subject only what became of it in the end. */
const last = (remarks: readonly Remark[]): readonly Remark[] => [...new Map(remarks.map((remark) => [remark.subject, remark])).values()];

/** The changes that are left of a plan, but for those that are about what pgsteward keeps for itself. */
export const remaining = ({ changes, blocked, refused, deferred, held }: Plan): readonly Change[] =>
  [...changes, ...deferred, ...held, ...[...blocked, ...refused].map(({ change }) => change)].filter(isSeen);

/** Whether anybody has more or less by it: what is only remembered is not, and neither are our event triggers. */
function isSeen(change: Change): boolean {
  const { isMemory, isOwn } = definitionOf(change);
  return isMemory !== true && isOwn !== true;
}

/** By role, the first thing that is not as it is on the server. */
function wrongAbout(plan: Plan, document: Document, ofSome: ReturnType<typeof whySomeCreators>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const note = (subject: string, why: string): void => void (found.has(subject) || found.set(subject, why));
  for (const change of remaining(plan))
    note(subjectOf(change), (change.kind === 'revoke_default_privilege' ? ofSome(change) : undefined) ?? `a plan would ${sentenceOf(change)}`);
  for (const { severity, username, path, message } of document.problems) if (severity === 'error') note(username ?? '', `${path}: ${message}`);
  return found;
}

/** @param modes how much is said of each role. @param most how much of others. */
function compose(whole: WholeServer, modes: ReadonlyMap<string, Mode>, most: Mode): Pick<Imported, 'text' | 'remarks'> {
  const { catalog } = whole;
  const holdings = foldedHoldings(whole);
  const joined = joinedBy(catalog.cluster.memberships);
  const owners = schemaOwners(whole);
  const { roles, remarks } = rolesToSay(whole);
  const said = roles.flatMap((role) => {
    const entry = entryOf(role, {
      whole,
      holdings: holdings.get(role.name) ?? [],
      joined: joined.get(role.name) ?? [],
      mode: modes.get(role.name) ?? most,
      owns: (database, schema) => owners.get(JSON.stringify([database, schema])) === role.name,
    });
    return entry ?? [];
  });
  const databases = databaseEntries(whole, holdings, modes);
  const under = (key: 'users' | 'roles'): readonly Written[] => said.flatMap((one) => (one.under === key ? [one.entry] : []));
  const [groups, users] = [under('roles'), under('users')];
  const document = new Map<string, Written>([
    ...(databases.entries.length === 0 ? [] : [['databases', databases.entries] as const]),
    ...(groups.length === 0 ? [] : [['roles', groups] as const]),
    ['users', users],
    ...(users.length === 0 ? [['allowEmpty', true] as const] : []),
  ]);
  return { text: yamlOf(document), remarks: [...remarks, ...databases.remarks, ...said.flatMap((one) => one.remarks)] };
}

/** What each role holds, in few words. */
function foldedHoldings(whole: WholeServer): ReadonlyMap<string, readonly Holding[]> {
  const folds = new Map(contentsOf(whole).map((contents) => [contents.name, folding(contents, whole.catalog)]));
  const holdings = holdingsOf(whole);
  return new Map(
    [...whole.catalog.cluster.roles.keys(), PUBLIC].map((role) => {
      const held = Map.groupBy(holdings.get(role) ?? [], ({ database }) => database);
      const databases = new Set([...folds.keys(), ...held.keys()]);
      return [
        role,
        [...databases].flatMap((database) => (role === PUBLIC ? undefined : folds.get(database))?.(role, held.get(database) ?? []) ?? held.get(database) ?? []),
      ];
    }),
  );
}

/** `[database, schema]` → who has the rights of its owner. */
function schemaOwners(whole: WholeServer): ReadonlyMap<string, string> {
  const owners = contentsOf(whole).flatMap(({ name: database, groups }) => {
    const real = (owner: string): string => (owner === DATABASE_OWNER ? (whole.catalog.databases.get(database)?.owner ?? owner) : owner);
    return groups.flatMap((group) =>
      group.kind === 'schema' ? group.names.map((name) => [JSON.stringify([database, ownName(name)]), real(group.owner)] as const) : [],
    );
  });
  return new Map(owners);
}
