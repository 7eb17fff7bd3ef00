// Read for plan: what a document wants of a server, and how it is there now. No loop, nothing remembered, nothing written: whoever shows a plan may ask.
import type { Catalog, Witness } from '../model/catalog.ts';
import type { PasswordReason } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import { closedNames } from '../plan/removal/drain.ts';
import { withRecognised } from '../plan/moved.ts';
import { alsoDeferred, refusedRenames } from '../plan/guarded-renames.ts';
import { renamedGuarded, renamedPassedOn, renamedReadings } from '../plan/renamed-catalog.ts';
import { type RenamingOptions, withRenamed } from '../plan/renaming.ts';
import { type GuardedReading, guardedOf, targetsIn } from '../guard/guarded.ts';
import { isShared, type Rail, railsOf, SHARED } from '../guard/rails.ts';
import type { Refusal } from '../guard/refuse.ts';
import { declaringNames, namesIn, withFormerNames } from '../model/named.ts';
import { isForeign } from '../plan/secrets/password-check.ts';
import { planOf } from '../plan/plan.ts';
import type { Plan, PlanInput } from '../plan/plan-input.ts';
import { dropCandidates } from '../plan/removal/removal-policy.ts';
import { endTurns } from '../model/turns.ts';
import type { SecretWishes } from '../plan/secrets/secret-plan.ts';
import { type CatalogKeeper, type ReadCatalog, readCatalog } from '../postgres/read-catalog.ts';
import { createResidents } from '../postgres/residents.ts';
import { withWholeServer } from '../postgres/too-large.ts';
import { inTurns } from '../async/in-turns.ts';
import type { Waiting } from './backoff.ts';
import { checkPasswords, type Credentials } from './credentials.ts';
import { createDatabases, type Databases } from './databases.ts';
import type { Memory } from './memory.ts';
import type { Probes } from './probes.ts';
import type { Server } from './server.ts';

type Stale = ReadonlyMap<string, PasswordReason>;

export interface PlanRequest {
  /** Before it is settled which of two users logs in. */
  readonly document: Document;
  /** Equal for documents that are the same. */
  readonly version: string;
  readonly credentials: Credentials;
  /** What is to be made in Kubernetes. @param now by the server's clock, in milliseconds. */
  readonly wishes: (document: Document, now: number) => SecretWishes;
  /** What failed lately and waits, at the moment of this plan: what its Secrets give was asked at the same. */
  readonly waiting: Waiting;
  /** The databases to look at again; others that were right stand as they are. Left out: all. */
  readonly focus?: ReadonlySet<string> | undefined;
}

/** How the server is read. Whoever reads it again and again knows more, and asks for less. */
export interface ServerReader {
  catalog(document: Document): Promise<ReadCatalog>;
  /** The passwords that are not those of the Secrets, with those that can be found out by other means than reading them. */
  passwords(document: Document, credentials: Credentials, catalog: Catalog, stale: Stale): Promise<Stale>;
  /** Left out: all of it is planned. */
  readonly plan?: (input: PlanInput) => Promise<Plan>;
  /** Whether somebody gave a user another password, as far as it is known already. */
  readonly isChanged: Probes['isChanged'];
  readonly databases: Pick<Databases, 'read' | 'passedOn'>;
}

export interface ForPlan {
  readonly input: PlanInput & { readonly catalog: ReadCatalog };
  readonly plan: Plan;
  /** The catalog as it was read, before records of another server were found again in it. */
  readonly snapshot: ReadCatalog;
  /** What is remembered as it is written down, before any role gets another name. */
  readonly recorded: Catalog['managed'];
  /** Right passwords that nothing remembers yet. */
  readonly unwitnessed: ReadonlyMap<string, Witness>;
}

/** Reads the server for a document and the values of its Secrets, and plans. */
export async function readForPlan(
  { adminDatabase, policy: { movedFrom, guardrails = [], renewal: _renewal, ...policy } }: Pick<Server, 'adminDatabase' | 'policy'>,
  request: PlanRequest,
  reader: ServerReader,
): Promise<ForPlan> {
  const { credentials, waiting } = request;
  const snapshot = await reader.catalog(request.document);
  const document = withTurnsEnded(request.document, snapshot, reader);
  const recognised = withRecognised(snapshot, movedFrom);
  const isDeferred = (key: string): boolean => waiting.isDeferred(key);
  const rails = railsOf(document, guardrails, policy.defaultDatabase);
  const asked = { ...request, document, law: policy.law, isDeferred, rails };
  const { catalog, renaming, readings, guarded, refused } = await readDatabases(asked, recognised, reader);
  const { renames } = renaming;
  const { stale, unwitnessed } = await checkPasswords(credentials, catalog);
  const passwords = await reader.passwords(withoutUsers(document, renames), credentials, catalog, stale);
  const passedOn = await reader.databases.passedOn(dropCandidates(catalog, policy.removal, document), catalog);
  // A plan is made in turns, and its questions are asked over a while: all of them are about one moment.
  const input = {
    document,
    catalog,
    readings: renamedReadings(readings, renames),
    passedOn: renamedPassedOn(passedOn, renames),
    renaming,
    ...(rails.length === 0 ? {} : { guard: { rails, guarded: renamedGuarded(guarded, renames), refused } }),
    adminDatabase,
    ...policy,
    withoutSecret: credentials.withoutSecret,
    secrets: request.wishes(document, catalog.server.now),
    passwords,
    isDeferred,
    anyDeferred: waiting.any,
  };
  // Nobody changes what it reads while others have their turn: document, catalog and readings are values, and what failed is noted only by the cycle that waits here.
  return { input, plan: await (reader.plan?.(input) ?? inTurns(planOf(input))), snapshot, recorded: recognised.managed, unwitnessed };
}

interface DatabasesAsked extends Pick<PlanRequest, 'document' | 'version' | 'credentials' | 'focus'>, RenamingOptions {
  readonly rails: readonly Rail[];
}

/** The databases, and what gets another name in them: what would break a guardrail by its new one keeps the one that it has, and then others may be wrong. */
async function readDatabases<T extends Catalog>(asked: DatabasesAsked, recognised: T, reader: ServerReader, refused: readonly Refusal[] = []) {
  const { document, version, credentials, focus, law, isDeferred, rails } = asked;
  const { catalog, renaming } = withRenamed(recognised, document, { law, isDeferred: alsoDeferred(isDeferred, refused) });
  const { renames } = renaming;
  const about = JSON.stringify([version, [...credentials.withoutSecret.keys()], renames.map(({ from, role }) => [from, role])]);
  const { readings, guarded: inDatabases } = await reader.databases.read(document, catalog, about, focus);
  const guarded = new Map([...inDatabases, ...(await sharedGuarded(rails, recognised))]);
  const more = await inTurns(refusedRenames(rails, guarded, recognised, catalog, renames));
  if (more.length > 0) return readDatabases(asked, recognised, reader, [...refused, ...more]);
  return { catalog, renaming, readings, guarded, refused };
}

/** What guardrails are about that is in no database. */
async function sharedGuarded(rails: readonly Rail[], { sharedByAll }: Catalog): Promise<readonly (readonly [string, GuardedReading])[]> {
  const targets = targetsIn(rails, { name: SHARED });
  if (targets.length === 0) return [];
  if (sharedByAll === undefined) return [[SHARED, { kind: 'unreadable', reason: 'tablespaces and parameters were not read' }]];
  return [[SHARED, { kind: 'read', guarded: await inTurns(guardedOf(targets, sharedByAll, [])) }]];
}

/** Nobody can log in yet by a name that is to come. */
const withoutUsers = (document: Document, renames: readonly { readonly role: string }[]): Document => {
  const names = new Set(renames.map(({ role }) => role));
  return names.size === 0 ? document : { ...document, users: document.users.filter(({ username }) => !names.has(username)) };
};

/** The document with who logs in now of those who take turns. */
export const withTurnsEnded = (document: Document, snapshot: ReadCatalog, { isChanged }: Pick<ServerReader, 'isChanged'>): Document =>
  endTurns(document, snapshot, (role) => isForeign(role, snapshot) || isChanged(role));

/** The catalogs, with what is remembered beside a ledger. */
export const readRoles = (
  { source, connections, timeouts, adminDatabase, policy }: Server,
  document: Document,
  memory: Pick<Memory, 'remembered' | 'missing' | 'triggerDatabases'>,
  keeper?: CatalogKeeper,
): Promise<ReadCatalog> =>
  withWholeServer(connections, (client) =>
    readCatalog({
      client,
      source,
      sources: document.sources,
      named: namesIn(document),
      declaring: withFormerNames(declaringNames(document), document),
      closed: (now, managed, oids) => closedNames(document, now, { managed, oids }),
      adminDatabase,
      guardsShared: [...(policy.guardrails ?? []), ...(document.guardrails ?? [])].some(isShared),
      remembered: memory.remembered,
      missing: (found) => memory.missing(found),
      triggerDatabases: memory.triggerDatabases,
      keeper,
      ...timeouts,
    }),
  );

/** Reads everything anew, and knows nothing beside the server but what stands in the state file. */
export const readerOf = (server: Server, memory: Parameters<typeof readRoles>[2]): ServerReader => {
  const { connections } = server;
  return {
    catalog: (document) => readRoles(server, document, memory),
    passwords: (_document, _credentials, _catalog, stale) => Promise.resolve(stale),
    isChanged: () => false,
    databases: createDatabases(server, createResidents({ connections, max: 0, onHeard: () => undefined })),
  };
};
