// Random documents with databases, permissions, roles and a user whose rules never contradict each other.
import fc from 'fast-check';
import { allPrivileges, type Block, contradict, type Kind, type PlainDocument, type PlainRole, type Rule, rulesOfBlock, type Wish } from './evaluator.ts';
import { MANAGED, SCHEMAS, USER } from './random-server.ts';

/** Privileges that every major knows, so that documents do not depend on the server. */
const wishes = (kind: Kind): fc.Arbitrary<readonly Wish[]> => {
  const known = allPrivileges(kind, 14);
  const several = fc
    .subarray([...known], { minLength: 1 })
    .chain((privileges) =>
      fc.tuple(...privileges.map((privilege) => fc.oneof({ weight: 4, arbitrary: fc.constant(privilege) }, fc.constant({ privilege, grantable: true })))),
    );
  return fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.constant(['ALL']) }, { weight: 6, arbitrary: several });
};
const targets = (kind: Kind, patterns: readonly string[]): fc.Arbitrary<Record<string, readonly Wish[]>> =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...patterns), wishes(kind)), { selector: ([pattern]) => pattern, minLength: 1, maxLength: 3 })
    .map((pairs) => Object.fromEntries(pairs));

const SCHEMA_PATTERNS = ['*', 's*', ...SCHEMAS] as const;
const TABLES = ['*', '*', 'inv*', '*_one', 't_one', 't_two', 'absent_t', 'Weird "t" é'] as const;
const database = fc.constantFrom<string | readonly string[]>('rt_a', 'rt_b', 'rt_*', ['rt_a', 'rt_b']);
const schemaList = fc.uniqueArray(fc.constantFrom(...SCHEMA_PATTERNS), { minLength: 1, maxLength: 2 });

const objects = fc.record(
  {
    tables: targets('table', TABLES),
    sequences: targets('sequence', ['*', '*', 'sq*', 'sq_one', 't_serial_id_seq', 'absent_s']),
    functions: targets('function', ['*', '*', 'f_*', 'f_one', 'f_one(integer)', 'f_one(text, integer[])', 'p_call', 'agg_one(integer)', 'absent_f(text)']),
    types: targets('type', ['*', 'ty*', 'ty_enum', 'ty_dom', 'ty_range']),
    columns: fc
      .uniqueArray(fc.tuple(fc.constantFrom('*', 'inv*', 't_one', 't_two'), targets('column', ['*', 'e*', 'id', 'email'])), {
        selector: ([table]) => table,
        minLength: 1,
        maxLength: 2,
      })
      .map((pairs) => Object.fromEntries(pairs)),
  },
  { requiredKeys: [] },
);
const inSchemas: fc.Arbitrary<Block> = fc
  .record(
    {
      database,
      schemas: fc.oneof({ weight: 3, arbitrary: schemaList }, targets('schema', SCHEMA_PATTERNS)),
      objects,
      preset: fc.constantFrom('read_only' as const, 'read_write' as const, 'owner' as const),
    },
    { requiredKeys: ['database', 'schemas', 'objects'] },
  )
  .map(({ objects, ...block }) => ({ ...block, ...objects }));
const listed: fc.Arbitrary<Block> = fc.record({ database, schemas: schemaList, tables: fc.constantFrom(['*'], ['t_one', 'inv*']), actions: wishes('table') });
const onSchemas: fc.Arbitrary<Block> = fc.record({ database, schemas: schemaList, actions: wishes('schema') }, { requiredKeys: ['database', 'schemas'] });
const onDatabases: fc.Arbitrary<Block> = fc.oneof(
  fc.record({ database, actions: wishes('database') }),
  fc.record({ databases: database, databasePrivileges: wishes('database') }),
);
const block = fc.oneof(
  { weight: 6, arbitrary: inSchemas },
  { weight: 2, arbitrary: listed },
  { weight: 1, arbitrary: onSchemas },
  { weight: 1, arbitrary: onDatabases },
);

const PERMISSIONS = ['p one', 'p_two', 'p_three'] as const;
const anyBody = fc.record(
  {
    grants: fc.array(block, { maxLength: 3 }),
    permissions: fc.subarray([...PERMISSIONS]),
    grantsMode: fc.constant('additive' as const),
  },
  { requiredKeys: [] },
);
/** A mode alone declares nothing. */
const body = anyBody.map(({ grantsMode, ...declared }) =>
  grantsMode === undefined || Object.keys(declared).length === 0 ? declared : { ...declared, grantsMode },
);
/** PUBLIC can have no grant options. */
const plain = (found: Readonly<Record<string, readonly Wish[]>>): Record<string, readonly Wish[]> =>
  Object.fromEntries(Object.entries(found).map(([pattern, wishes]) => [pattern, wishes.map((wish) => (typeof wish === 'string' ? wish : wish.privilege))]));
const publicBlock: fc.Arbitrary<Block> = fc.record({ schemas: schemaList, objects }).map(({ schemas, objects: { columns, ...whole } }) => ({
  schemas,
  ...Object.fromEntries(Object.entries(whole).map(([key, found]) => [key, plain(found)])),
  ...(columns === undefined ? {} : { columns: Object.fromEntries(Object.entries(columns).map(([table, found]) => [table, plain(found)])) }),
}));

/** Keeps of a role's blocks and permissions those that do not contradict what was kept before. */
function withoutContradictions<T extends Omit<PlainRole, 'name'>>(entry: T, permissions: NonNullable<PlainDocument['permissions']>): T {
  const kept: Rule[] = [];
  const fits = (rules: readonly Rule[]): boolean => {
    const fine = rules.every((rule, index) => [...kept, ...rules.slice(index + 1)].every((other) => !contradict(rule, other)));
    if (fine) kept.push(...rules);
    return fine;
  };
  return {
    ...entry,
    ...(entry.grants === undefined ? {} : { grants: entry.grants.filter((one) => fits(rulesOfBlock(one, 'postgres'))) }),
    ...(entry.permissions === undefined
      ? {}
      : {
          permissions: entry.permissions.filter((name) =>
            fits(permissions.filter((one) => one.name === name).flatMap((one) => rulesOfBlock(one, 'postgres', name))),
          ),
        }),
  };
}

export const randomDocument: fc.Arbitrary<PlainDocument> = fc
  .record({
    blocks: fc.tuple(...PERMISSIONS.map(() => block)),
    roles: fc.tuple(...MANAGED.map(() => body)),
    members: fc.subarray(['m_one', 'm_two'] as const),
    user: body,
    database: fc.option(
      fc.record({ createdBy: fc.subarray(['x_one', 'o_one']), public: fc.oneof(fc.constant('revoked' as const), publicBlock) }, { requiredKeys: [] }),
      { nil: undefined },
    ),
  })
  .map(({ blocks, roles, members, user, database }) => {
    const permissions = blocks.map((one, index) => ({ name: PERMISSIONS[index] ?? '', ...one }));
    return {
      ...(database === undefined ? {} : { databases: [{ name: 'rt_a', ...database }] }),
      permissions,
      roles: roles.map((entry, index) => ({
        name: MANAGED[index] ?? '',
        ...withoutContradictions(entry, permissions),
        ...(index === 2 ? { memberOf: members } : {}),
      })),
      users: [{ username: USER, database: 'rt_a', login: false, ...withoutContradictions(user, permissions) }],
    };
  });
