// Which databases a document's privileges concern, what of them is to be read, and what a plan for one depends on beside the database itself.
import { digestOf } from '../model/digest.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Document } from '../model/entries.ts';
import { comparedNames, namesIn } from '../model/named.ts';
import { databasesToRead } from '../plan/privileges/databases-to-read.ts';
import { type DefinersAsked, definersAsked } from '../guard/definers.ts';
import { guardedDatabases, targetsIn } from '../guard/guarded.ts';
import { railsOf } from '../guard/rails.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import { subjectsOf } from '../plan/privileges/subject.ts';
import { mayHoldRules } from '../plan/triggers/held-rules.ts';
import type { ContentsRequest } from '../postgres/read-database.ts';
import type { Server } from './server.ts';

export interface DatabasesRequest {
  /** Databases in which something is declared, granted or followed. */
  readonly names: readonly string[];
  /** Further ones that only guardrails are about. */
  readonly guardedOnly: readonly string[];
  /** What guardrails are about in each. */
  readonly targetsIn: (name: string) => readonly GuardTarget[];
  /** And whether what acts with the rights of its owner counts there. */
  readonly definersIn: (name: string) => DefinersAsked | undefined;
  readonly contents: Pick<ContentsRequest, 'grantees' | 'nobodyYet' | 'columns' | 'largeObjects' | 'trigger'>;
  /** Equal while a plan for this database, as it is now, would be the same. */
  readonly requestKeyOf: (name: string) => string;
}

/** @param version of everything beside the catalogs that a plan for a database depends on. */
export function databasesRequest(
  document: Document,
  catalog: Catalog,
  version: string,
  {
    adminDatabase,
    policy: { defaultDatabase, guardrails = [] },
  }: Pick<Server, 'adminDatabase'> & { readonly policy: Pick<Server['policy'], 'defaultDatabase' | 'guardrails'> },
): DatabasesRequest {
  const subjects = subjectsOf({ document, catalog, adminDatabase, defaultDatabase, isManaged: () => true });
  const names = databasesToRead(subjects, { document, catalog, defaultDatabase });
  const rules = [...new Set(subjects.map((subject) => subject.rules))].flatMap((one) => one.rules);
  const grantees = [...comparedNames(document)].flatMap((name) => catalog.oids.get(name) ?? []);
  // Memberships decide as whom we may act, and so what is blocked.
  const mine = catalog.server.superuser ? [] : catalog.cluster.memberships.map((row) => [row.member, row.role, row.inherit, row.set, row.admin]);
  // What belongs to a superuser is not handed out like anybody's, and who may create beside a superuser is nobody's danger.
  const superusers = [...catalog.cluster.roles.values()].flatMap(({ name, superuser }) => (superuser ? [name] : [])).toSorted();
  const concerned = names.length === 0 ? [] : [...new Set([...namesIn(document), ...comparedNames(document)])];
  const facts = concerned.map((name) => factsOf(name, catalog));
  const base = digestOf([version, catalog.server.admin, catalog.server.superuser, grantees, mine, superusers, facts]);
  const rails = railsOf(document, guardrails, defaultDatabase);
  const isNamed = new Set(names);
  const guardedOnly = guardedDatabases(rails, catalog.databases.values()).filter((name) => !isNamed.has(name));
  const targets = (name: string): readonly GuardTarget[] => targetsIn(rails, catalog.databases.get(name) ?? { name });
  const definers = (name: string): DefinersAsked | undefined => definersAsked(rails, catalog.databases.get(name) ?? { name });
  return {
    names,
    guardedOnly,
    targetsIn: targets,
    definersIn: definers,
    contents: {
      nobodyYet: grantees.length === 0 && [...comparedNames(document)].length > 0,
      grantees,
      columns: rules.some((rule) => rule.kind === 'column'),
      largeObjects: rules.some((rule) => rule.kind === 'large_object'),
      trigger: mayHoldRules(document) ? 'with rules' : undefined,
    },
    requestKeyOf: (name) =>
      digestOf([base, catalog.databases.get(name)?.owner, ...(rails.length === 0 ? [] : [isNamed.has(name), targets(name), definers(name)])]),
  };
}

const factsOf = (name: string, { cluster, managed, oids, unsure }: Catalog): readonly unknown[] => {
  const role = cluster.roles.get(name);
  const ours = managed.get(name);
  return [name, oids.get(name), role?.superuser, role?.replication, role?.createrole, role?.bypassrls, ours?.source, ours?.oid, unsure.has(name)];
};
