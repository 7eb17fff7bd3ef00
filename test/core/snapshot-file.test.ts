// The file of a snapshot: what is written is read again as it was, in one order, and no more than may be.
import { expect, it } from 'vitest';
import { NO_TRIGGER } from '../../src/model/trigger-state.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { boundBytes, databaseText, readSnapshot, snapshotText } from '../../src/snapshot/format.ts';
import { withoutPasswords } from '../../src/snapshot/passwords.ts';
import type { RecordedDatabase, SnapshotHead } from '../../src/snapshot/snapshot.ts';
import { catalogOf } from '../support/pure-plan.ts';

const NAME = `o'x\u001f\n"; DROP TABLE t -- $map __proto__ 👩`;

const headOf = (names: readonly string[]): SnapshotHead => {
  const catalog = catalogOf(names, [[names[0] ?? '', names[1] ?? '']]);
  const { server, cluster, bootstrap, shared, triggerDatabases, oids, databases, parameters, dependencies, sessions } = catalog;
  const facts = { server, cluster, bootstrap, shared, triggerDatabases, oids, databases, parameters, dependencies, sessions };
  return {
    takenBy: '0.1.0',
    serverVersion: '18.4 (Debian)',
    host: 'db.example',
    port: 5432,
    source: 'postgres/postgres-users-config',
    adminDatabase: 'postgres',
    defaultDatabase: 'postgres',
    ledger: { kind: 'prepare_ledger', database: 'postgres', newSchema: true, from: 0, to: 8 },
    catalog: {
      ...facts,
      ...withoutPasswords({ ...catalog, verifiers: new Map([[NAME, null]]) }),
      hasLedger: false,
      holders: new Map([[NAME, [NAME]]]),
    },
    passedOn: [{ name: NAME, database: NAME, held: { unreadable: NAME } }],
  };
};

const DATABASE: RecordedDatabase = {
  kind: 'read',
  whole: true,
  reason: undefined,
  contents: {
    name: NAME,
    groups: [
      {
        kind: 'function',
        schema: NAME,
        owner: NAME,
        names: [
          { name: NAME, shown: '', types: [], modes: undefined },
          { name: NAME, shown: 'integer', types: [{ schema: 'pg_catalog', name: 'int4' }], modes: ['VARIADIC'] },
        ],
        extension: false,
        untouched: false,
        entries: [{ grantee: 'public', grantor: NAME, privilege: 'EXECUTE', grantable: false, lapsed: { holds: true } }],
      },
      { kind: 'column', schema: '', owner: NAME, names: [{ table: 't', column: NAME }], extension: true, untouched: true, entries: [] },
    ],
    defaults: [],
    creators: new Map([[NAME, [NAME]]]),
    extensions: new Map(),
    trigger: NO_TRIGGER,
    strays: [{ role: NAME, what: 'relation', count: 2 }],
  },
};
const UNREADABLE: RecordedDatabase = { kind: 'unreadable', reason: NAME };

it('is read as it was written, whichever order things came in', () => {
  const databases = [
    [NAME, DATABASE],
    ['a', UNREADABLE],
  ] as const;
  const textOf = (names: readonly string[], of: typeof databases): string =>
    snapshotText(headOf(names), new Map(of.map(([name, one]) => [name, databaseText(one)])));
  const text = textOf([NAME, 'b'], databases);
  const { databases: read, ...head } = readSnapshot(Buffer.from(text));
  expect(head).toEqual(headOf([NAME, 'b']));
  expect(new Map(read)).toEqual(
    new Map(
      [...databases].map(([name, one]) => [
        name,
        one.kind === 'read' ? { ...one, contents: { ...one.contents, groups: one.contents.groups.toReversed() } } : one,
      ]),
    ),
  );
  expect(textOf([NAME, 'b'], [databases[0], databases[1]].toReversed() as unknown as typeof databases)).toBe(text);
});

it('has as many bytes and items as may be, and no more', () => {
  const text = snapshotText(headOf(['a', 'b']), new Map());
  const whole = Buffer.alloc(LIMITS.snapshotBytes, ' ');
  whole.write(text);
  expect(readSnapshot(whole).host).toBe('db.example');
  expect(() => readSnapshot(Buffer.concat([whole, Buffer.from(' ')]))).toThrow('it has more than 128 MiB');
  expect(() => boundBytes(['x'.repeat(LIMITS.snapshotBytes - 102)])).not.toThrow();
  expect(() => boundBytes(['x'.repeat(LIMITS.snapshotBytes - 101)])).toThrow('it would have more than 128 MiB');
  const withItems = (count: number): Buffer =>
    Buffer.from(text.replace(/"holders":\[.*?\]\]\]/, () => `"holders":[["a",[${Array.from({ length: count }, () => '""').join(',')}]]]`));
  expect(readSnapshot(withItems(LIMITS.snapshotItems)).catalog.holders.get('a')?.length).toBe(LIMITS.snapshotItems);
  expect(() => readSnapshot(withItems(LIMITS.snapshotItems + 1))).toThrow('what stands at catalog.holders');
});
