// A plan as a script: the statements in the order in which they are applied, in the database that each needs. What psql makes of it is in plan-sql.ts.
import { attributesSql } from '../changes/attributes.ts';
import { type Change, databaseOf, sentenceOf } from '../changes/change.ts';
import type { RenderOptions } from '../changes/definition.ts';
import { isPlain, renderBatch, renderChange } from '../changes/render.ts';
import { definitionOf, isBefore, isInKubernetes, type PlainChange } from '../changes/table.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Loans } from '../plan/loans.ts';
import { batches } from '../postgres/batch-sql.ts';
import { identifier } from '../sql/sql-text.ts';

export type ScriptPart =
  /** Something that a script cannot do, or what comes now. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'database'; readonly name: string }
  | { readonly kind: 'transaction'; readonly statements: readonly string[] }
  /** Outside of any transaction. */
  | { readonly kind: 'alone'; readonly statements: readonly string[] };

export interface ScriptFacts {
  readonly adminDatabase: string;
  readonly server: Pick<Catalog['server'], 'major' | 'grantor' | 'superuser'>;
  /** What has to be said around changes where our login is no superuser. */
  readonly loans: (changes: readonly Change[]) => Loans;
}

/** The parts of the script, in the order of apply (postgres/apply.ts). */
export function scriptOf(all: readonly Change[], facts: ScriptFacts): readonly ScriptPart[] {
  const changes = all.filter((change) => definitionOf(change).isMemory !== true);
  const plain = changes.filter(isPlain);
  const batched = plain.filter((change) => definitionOf(change).runs === undefined && !isInKubernetes(change));
  const shared = batched.filter((change) => databaseOf(change) === '');
  const isEarly = (change: Change): boolean => isBefore(change, 'create_database');
  const segments = Map.groupBy(
    batched.filter((change) => databaseOf(change) !== ''),
    databaseOf,
  );
  const { adminDatabase } = facts;
  return [
    ...changes.filter(isInKubernetes).map((change): ScriptPart => note(`made in Kubernetes, and not here: ${sentenceOf(change)}`)),
    ...inDatabase(adminDatabase, [
      ...transactions(shared.filter(isEarly), facts),
      ...plain.flatMap((change) => (change.kind === 'create_database' ? creation(change, facts) : [])),
      ...transactions(
        shared.filter((change) => !isEarly(change)),
        facts,
      ),
      ...plain.flatMap((change) => (change.kind === 'end_sessions' ? transactions([change], facts) : [])),
      ...changes.flatMap((change) => (change.kind === 'set_password' ? passwordNotes(change) : [])),
    ]),
    ...[...segments].flatMap(([database, segment]) => inDatabase(database, transactions(segment, facts))),
    ...plain
      .filter((change) => definitionOf(change).runs === 'last')
      .flatMap((change) => inDatabase(databaseOf(change) || adminDatabase, transactions([change], facts))),
  ];
}

const note = (text: string): ScriptPart => ({ kind: 'note', text });

const inDatabase = (name: string, parts: readonly ScriptPart[]): readonly ScriptPart[] => (parts.length === 0 ? [] : [{ kind: 'database', name }, ...parts]);

/** As many transactions as batches. */
const transactions = (changes: readonly PlainChange[], facts: ScriptFacts): readonly ScriptPart[] =>
  batches(changes, facts.server).flatMap((batch): readonly ScriptPart[] => {
    const statements = renderBatch(batch as readonly PlainChange[], facts.server);
    return statements.length === 0 ? [] : [{ kind: 'transaction', statements: around(batch, statements, facts) }];
  });

function around(changes: readonly Change[], statements: readonly string[], { server, loans }: ScriptFacts): readonly string[] {
  const { before, after } = loans(changes);
  const selfGrant = server.superuser || server.major < 16 ? [] : ["SET LOCAL createrole_self_grant = 'set'"];
  return [...selfGrant, ...before, ...statements, ...after];
}

/** Below 16 it is made as ours and handed over, where our login is not in the owner by itself. */
function creation(change: PlainChange & { kind: 'create_database' }, facts: ScriptFacts): readonly ScriptPart[] {
  const render: RenderOptions = facts.server;
  const { owner, database } = change;
  const isLent = owner !== undefined && facts.server.major < 16 && facts.loans([change]).before.length > 0;
  const made: ScriptPart = { kind: 'alone', statements: renderChange(isLent ? { ...change, owner: undefined } : change, render) };
  if (!isLent) return [made];
  const handOver: PlainChange = { kind: 'alter_database_owner', database, owner, from: '' };
  return [made, { kind: 'transaction', statements: around([change], renderChange(handOver, render), facts) }];
}

function passwordNotes({ role, opens }: Extract<Change, { kind: 'set_password' }>): readonly ScriptPart[] {
  const name = identifier(role);
  const set = note(`a password has to be set for ${role}, and no script holds one; in psql: \\password ${name}`);
  return opens === undefined ? [set] : [set, note(`and after that: ALTER ROLE ${name}${attributesSql(opens)};`)];
}
