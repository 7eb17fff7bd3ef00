// The entries of databases: who owns them and their schemas, and what PUBLIC may do there where that is not what it is by itself.
import type { Written } from '../../document/write-yaml.ts';
import { nameProblem } from '../../document/names.ts';
import { isSystemSchema, ownName } from '../../model/contents.ts';
import { databaseKey } from '../../changes/change.ts';
import { isGlob } from '../../model/pattern.ts';
import { DATABASE_OWNER } from '../privileges/acting.ts';
import { refuseOwner } from '../privileges/plan-database.ts';
import { contentsOf, type Holding, type Mode, type Remark, type WholeServer } from './whole-server.ts';

export interface SaidDatabases {
  readonly entries: readonly Written[];
  readonly remarks: readonly Remark[];
}

export function databaseEntries(whole: WholeServer, _holdings: ReadonlyMap<string, readonly Holding[]>, modes: ReadonlyMap<string, Mode>): SaidDatabases {
  const { catalog, law, adminDatabase, isWantedDatabase } = whole;
  const remarks: Remark[] = [];
  const contents = new Map(contentsOf(whole).map((one) => [one.name, one]));
  const asked = [...catalog.databases.values()]
    .filter(({ name, isTemplate }) => isWantedDatabase(name) && !isTemplate)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const [name, reading] of whole.readings)
    if (reading.kind === 'unreadable' && isWantedDatabase(name))
      remarks.push({ subject: name, message: `the database cannot be read, and nothing is said of what is in it: ${reading.reason}` });
  const entries = asked.flatMap(({ name, owner, allowsConnections, exactOnly }): Written[] => {
    const why = !allowsConnections
      ? 'it allows no connections'
      : exactOnly === true
        ? "it is the platform's own, or closed to us"
        : isGlob(name)
          ? 'a name with * in it is a pattern in a document'
          : nameProblem(name, 'database');
    if (why !== undefined || modes.get(databaseKey(name)) === 'out') {
      if (why !== undefined) remarks.push({ subject: name, message: `the database is left out: ${why}` });
      return [];
    }
    const entry = new Map<string, Written>([['name', name]]);
    const refusal = refuseOwner(owner, name, law, adminDatabase);
    if (refusal === undefined) entry.set('owner', owner);
    else if (name !== adminDatabase) remarks.push({ subject: name, message: `the owner of the database, ${owner}, is left out: ${refusal}` });
    const schemas = (contents.get(name)?.groups ?? []).flatMap((group) =>
      group.kind !== 'schema' || group.extension ? [] : group.names.map((schema) => ({ schema: ownName(schema), owner: group.owner })),
    );
    const said = schemas.flatMap(({ schema, owner: schemaOwner }): Written[] => {
      if (isSystemSchema(schema) || nameProblem(schema, 'schema') !== undefined) return [];
      const isSaid = schemaOwner !== DATABASE_OWNER && schemaOwner !== owner && law.refuseOwnership(schemaOwner) === undefined;
      if (isSaid)
        return [
          new Map([
            ['name', schema],
            ['owner', schemaOwner],
          ]),
        ];
      return schema === 'public' ? [] : [schema];
    });
    if (said.length > 0) entry.set('schemas', said);
    return entry.size > 1 ? [entry] : [];
  });
  return { entries, remarks };
}
