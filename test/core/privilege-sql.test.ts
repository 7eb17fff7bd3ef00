// GRANT and REVOKE as they are written are read back as what they say, whatever the names are.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { grantSql, revokeSql } from '../../src/changes/privilege-sql.ts';
import { readPrivilegeSql } from '../../src/changes/read-privilege-sql.ts';
import { definitionOf } from '../../src/changes/table.ts';
import type { ObjectName, Routine } from '../../src/model/contents.ts';

const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
    fc.constantFrom('a"b', '"', 'x", "public"."t', 'ON', 'TO', '; GRANT', String.raw`\0041`, 'U&', 'a\u001F\nb', '.', '(', 'é', ')'),
  )
  .filter((text) => !text.includes('\0') && [...text].length <= 20);
const type = fc.record({ schema: name, name });
const routine = (modes: Routine['modes']): fc.Arbitrary<Routine> =>
  fc.record({
    name,
    shown: fc.constant(''),
    types: fc.array(type, { minLength: modes?.length ?? 0, maxLength: modes?.length ?? 3 }),
    modes: fc.constant(modes),
  });
const short = fc
  .string({ minLength: 1, maxLength: 10, unit: 'binary' })
  .filter((text) => !text.includes('\0') && Buffer.byteLength(text) <= 63 && text.isWellFormed());

const partsOf = (schema: string, one: ObjectName): readonly string[] =>
  typeof one === 'string' ? [schema, one] : 'column' in one ? [schema, one.table] : [schema, one.name];

it.each([
  ['table', name],
  ['function', routine(undefined)],
  ['function', routine(['IN', 'OUT', 'INOUT'])],
] as const)('names of a %s', (object, of) => {
  fc.assert(
    fc.property(
      name,
      fc.array(of as fc.Arbitrary<ObjectName>, { minLength: 1, maxLength: 5 }),
      fc.option(short, { nil: undefined }),
      short,
      (schema, names, as, role) => {
        const on = { database: 'shop', object, schema, names, owner: 'boss' };
        const text = grantSql({ as, on, privileges: ['SELECT', 'ALTER SYSTEM'], grantable: true }, [role]).join('; ');
        const read = readPrivilegeSql(text);
        expect(read).toHaveLength(1);
        expect(read[0]).toMatchObject({ verb: 'GRANT', as, privileges: ['SELECT', 'ALTER SYSTEM'], columns: [], optionOnly: false });
        expect(read[0]?.objects).toEqual(
          names.map((one) => ({
            parts: partsOf(schema, one),
            types: typeof one === 'object' && 'types' in one ? one.types.map((each) => [each.schema, each.name]) : undefined,
          })),
        );
      },
    ),
  );
});

it('columns, with the table that they are of', () => {
  fc.assert(
    fc.property(name, name, fc.array(name, { minLength: 1, maxLength: 3 }), (schema, table, columns) => {
      const on = { database: 'shop', object: 'column' as const, schema, names: columns.map((column) => ({ table, column })), owner: 'boss' };
      expect(readPrivilegeSql(grantSql({ as: undefined, on, privileges: ['SELECT', 'UPDATE'], grantable: false }, ['r']).join('; '))).toEqual([
        {
          verb: 'GRANT',
          as: undefined,
          optionOnly: false,
          privileges: ['SELECT', 'UPDATE'],
          columns,
          keyword: 'TABLE',
          objects: [{ parts: [schema, table], types: undefined }],
        },
      ]);
    }),
  );
});

it('what is taken, of whom and whether only the option', () => {
  const on = { database: '', object: 'large_object' as const, schema: '', names: ['16999'], owner: 'boss' };
  const revoke = { as: 'bob', on, privileges: ['SELECT'], grantor: 'bob', optionOnly: true, cascade: true, lapsed: { as: 'boss', holds: false } };
  expect(
    readPrivilegeSql(revokeSql(revoke, ['r', 'public']).join('; ')).map(({ verb, as, optionOnly, objects }) => [verb, as, optionOnly, objects[0]?.parts]),
  ).toEqual([
    ['GRANT', 'boss', false, ['16999']],
    ['REVOKE', 'bob', true, ['16999']],
    ['REVOKE', 'boss', false, ['16999']],
  ]);
});

it('default privileges, and nothing of a membership', () => {
  const change = {
    kind: 'grant_default_privilege',
    role: 'r',
    database: 'shop',
    creator: 'GRANT x ON y',
    schema: 's"',
    object: 'table',
    privileges: ['SELECT'],
    grantable: false,
    as: 'boss',
  } as const;
  const text = definitionOf(change).statements(change, { major: 17, grantor: 'x' }, ['r']).join('; ');
  expect(readPrivilegeSql(text)).toEqual([
    { verb: 'GRANT', as: 'boss', optionOnly: false, privileges: ['SELECT'], columns: [], keyword: 'TABLES', objects: [] },
  ]);
  expect(readPrivilegeSql('GRANT "a ON b" TO "ON c" WITH ADMIN TRUE, INHERIT TRUE, SET TRUE')).toEqual([]);
});
