// Documents one after the other, as an operator would write them over a while.
import { STRANGER } from '../convergence/furnished.ts';

const everything = { '*': ['ALL'] };
const inShop = { database: 'shop', schemas: ['*'] };

/** Documents one after the other: what is given, changed, renamed, handed over and taken, also of what others own and pass on. */
export const LIFE: readonly { readonly users: readonly object[]; readonly roles?: readonly object[]; readonly databases?: readonly object[] }[] = [
  {
    users: [
      { username: 'alice', roles: ['team', 'o"dd\n;\u001f'], validUntil: '2030-01-01T00:00:00Z', connectionLimit: 3 },
      {
        username: 'bob',
        database: 'shop',
        roles: [{ name: 'team', admin: true }],
        grants: [{ ...inShop, tables: { t: [{ privilege: 'SELECT', grantable: true }] } }],
      },
      { username: 'gone', grants: [{ ...inShop, tables: everything, sequences: everything, functions: everything, types: everything }] },
    ],
    roles: [
      { name: 'team', grants: [{ ...inShop, schemas: { '*': ['USAGE', 'CREATE'] }, tables: everything, columns: { t: { '*': ['SELECT', 'UPDATE'] } } }] },
      {
        name: 'o"dd\n;\u001f',
        grants: [
          { database: 'shop', databasePrivileges: ['ALL'] },
          { database: 'shop', languages: everything, foreignServers: everything },
        ],
      },
    ],
    databases: [
      {
        name: 'shop',
        owner: 'team',
        schemas: [{ name: 's', owner: 'team' }, { name: 'new "s"', owner: 'bob' }, { name: 'ours' }],
        createdBy: ['alice', STRANGER],
      },
      { name: 'made "db"', create: true, owner: 'alice', public: [{ schemas: ['public'], tables: { '*': ['SELECT'] } }] },
      { name: 'ours alone', create: true },
    ],
  },
  {
    users: [
      { username: 'alison', renamedFrom: 'alice', roles: ['team'], validUntil: '2031-01-01T00:00:00Z', connectionLimit: 5 },
      { username: 'bob', database: 'shop', roles: ['team'], login: false, grants: [] },
      { username: 'gone', grants: [{ ...inShop, tables: { t: ['SELECT'] }, columns: { t: { a: ['UPDATE'] } } }] },
    ],
    roles: [
      { name: 'team', grants: [{ ...inShop, tables: { t: ['SELECT'], '*': [] } }] },
      { name: '"dd', renamedFrom: 'o"dd\n;\u001f', grants: [] },
    ],
    databases: [
      { name: 'shop', owner: STRANGER, public: [{ schemas: ['s'], tables: everything, functions: { '*': [] } }], schemas: [{ name: 's', owner: STRANGER }] },
    ],
  },
  { users: [{ username: 'bob', deletionPolicy: 'drop' }] },
  { users: [{ username: 'nobody' }] },
];
