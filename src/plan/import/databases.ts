// The entries of databases: who owns them and their schemas, and what PUBLIC may do there where that is not what it is by itself.
import type { Written } from '../../document/write-yaml.ts';
import { nameProblem } from '../../document/names.ts';
import type { DatabaseFacts } from '../../model/catalog.ts';
import { type DatabaseContents, isSystemSchema, type ObjectGroup, ownName, PUBLIC } from '../../model/contents.ts';
import { isGlob } from '../../model/pattern.ts';
import type { Law } from '../law/law.ts';
import { DATABASE_OWNER } from '../privileges/acting.ts';
import { refuseOwner } from '../privileges/plan-database.ts';
import { wishOf } from '../privileges/rules.ts';
import { publicOf } from './public-blocks.ts';
import { contentsOf, type Holding, type Mode, type Remark, type WholeServer } from './whole-server.ts';

export interface SaidDatabases {
  readonly entries: readonly Written[];
  readonly remarks: readonly Remark[];
}

/** The entries of all databases that are asked for and of which there is something to say. */
export function databaseEntries(whole: WholeServer, holdings: ReadonlyMap<string, readonly Holding[]>, modes: ReadonlyMap<string, Mode>): SaidDatabases {
  const { catalog, law, adminDatabase, isWantedDatabase } = whole;
  const remarks: Remark[] = [];
  const contents = new Map(contentsOf(whole).map((one) => [one.name, one]));
  const asked = [...catalog.databases.values()]
    .filter(({ name, isTemplate }) => isWantedDatabase(name) && !isTemplate)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const [name, reading] of whole.readings)
    if (reading.kind === 'unreadable' && isWantedDatabase(name))
      remarks.push({ subject: name, message: `the database cannot be read, and nothing is said of what is in it: ${reading.reason}` });
  const entries = asked.flatMap((facts): Written[] => {
    const { name } = facts;
    const why = whyLeftOut(facts);
    if (why !== undefined) {
      remarks.push({ subject: name, message: `the database is left out: ${why}` });
      return [];
    }
    const entry = new Map<string, Written>([['name', name]]);
    const refusal = refuseOwner({ name }, facts.owner, law, adminDatabase) ?? bringsMore(facts, contents.get(name), catalog.server.major);
    if (refusal === undefined) entry.set('owner', facts.owner);
    else if (name !== adminDatabase) remarks.push({ subject: name, message: `the owner of the database, ${facts.owner}, is left out: ${refusal}` });
    const found = contents.get(name);
    const schemas = found === undefined ? [] : schemasOf(found, facts.owner, law);
    if (schemas.length > 0) entry.set('schemas', schemas);
    if (found !== undefined && !modes.has(PUBLIC)) {
      const onDatabase = (holdings.get(PUBLIC) ?? []).find((one) => one.kind === 'database' && one.database === name)?.wish ?? wishOf([]);
      const { value, unsaid } = publicOf(found, onDatabase, catalog.server.major);
      if (value !== undefined) entry.set('public', value);
      if (unsaid > 0) remarks.push({ subject: name, message: `${unsaid} of the grants of PUBLIC cannot be said; they stay` });
    }
    return entry.size > 1 ? [entry] : [];
  });
  return { entries, remarks };
}

function whyLeftOut({ name, allowsConnections, exactOnly }: DatabaseFacts): string | undefined {
  if (!allowsConnections) return 'it allows no connections';
  if (exactOnly === true) return "it is the platform's own, or closed to our admin";
  return isGlob(name) ? 'a name with * in it is a pattern in a document' : nameProblem(name, 'database');
}

/** Why an owner cannot be said: before 15 the schema public is nobody's own, and whoever is named as the owner is given what it means to own it. */
function bringsMore({ owner }: DatabaseFacts, contents: DatabaseContents | undefined, major: number): string | undefined {
  if (major >= 15) return undefined;
  const isPublic = ({ kind, names }: ObjectGroup): boolean => kind === 'schema' && names.some((name) => ownName(name) === 'public');
  const schema = contents?.groups.find(isPublic);
  const holds = (privilege: string): boolean => schema?.entries.some((entry) => entry.grantee === owner && entry.privilege === privilege) === true;
  if (schema === undefined || schema.owner === owner || (holds('USAGE') && holds('CREATE'))) return undefined;
  return 'an owner that a document names is granted USAGE and CREATE on the schema public before PostgreSQL 15, and it does not have both itself';
}

/** The schemas of a database by their names, with their owners where these are others than its own. */
function schemasOf({ groups }: DatabaseContents, owner: string, law: Law): readonly Written[] {
  const said = groups.flatMap((group): (readonly [name: string, Written])[] => {
    if (group.kind !== 'schema' || group.extension) return [];
    const isSaid = group.owner !== DATABASE_OWNER && group.owner !== owner && law.refuseOwnership(group.owner, undefined) === undefined;
    return group.names.map(ownName).flatMap((name): (readonly [string, Written])[] => {
      if (isSystemSchema(name) || nameProblem(name, 'schema') !== undefined) return [];
      const entry: readonly [string, Written][] = [
        ['name', name],
        ['owner', group.owner],
      ];
      return isSaid ? [[name, new Map(entry)]] : name === 'public' ? [] : [[name, name]];
    });
  });
  return said.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, written]) => written);
}
