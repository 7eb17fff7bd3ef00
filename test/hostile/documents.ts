// Documents of an author who may want anything: names of every sort for users, roles, objects and parameters, and attackers that come and go.
import { stringify } from 'yaml';
import type { Random } from './random.ts';

export interface Wish {
  /** Attackers that the document names. */
  readonly users: readonly string[];
  readonly owner: string | undefined;
  readonly extension: boolean;
}

const PRIVILEGES = ['SELECT', 'INSERT', 'ALL'] as const;

/** The document; what is in it by chance follows from the random numbers. */
export function documentFor(wish: Wish, names: readonly string[], random: Random): string {
  const name = (): string => random.pick(names);
  const block = {
    database: 'shop',
    schemas: [...new Set(['s', 'public', ...(random.oneIn(3) ? [name()] : [])])],
    functions: { '*': ['EXECUTE'], ...(random.oneIn(4) ? { [`${name()}(int, s."${name().replaceAll('"', '""')}")`]: [] } : {}) },
    tables: { '*': ['SELECT'], ...(random.oneIn(3) ? { [name()]: [random.pick(PRIVILEGES)] } : {}) },
    types: { '*': ['USAGE'] },
    sequences: { '*': ['USAGE'] },
    ...(random.oneIn(3) ? { columns: { '*': { [name()]: ['SELECT'] } } } : {}),
    ...(random.oneIn(3) ? { largeObjects: { '*': ['SELECT'] } } : {}),
  };
  const users = wish.users.map((username) => ({
    username,
    database: 'shop',
    roles: ['team'],
    ...(random.oneIn(3) ? { comment: name() } : {}),
    ...(random.oneIn(4) ? { settings: { 'app.x': name() } } : {}),
  }));
  const odd = random.oneIn(3) ? [{ username: name(), login: false, database: name(), roles: [name()] }] : [];
  return stringify({
    databases: [
      {
        name: 'shop',
        create: true,
        ...(wish.owner === undefined ? {} : { owner: wish.owner }),
        ...(random.oneIn(3) ? { createdBy: ['m', name()] } : {}),
        ...(random.oneIn(4) ? { schemas: [{ name: name(), owner: 'app' }] } : {}),
        ...(wish.extension ? { extensions: [{ name: 'earthdistance', schema: 's' }] } : {}),
        ...(random.oneIn(4) ? { public: { functions: { '*': [] }, schemas: ['s'] } } : {}),
      },
    ],
    roles: [
      { name: 'team' },
      { name: 'app', grants: [block] },
      ...(random.oneIn(4) ? [{ name: name(), grants: [{ ...block, database: random.pick(['shop', name()]) }] }] : []),
    ],
    users: [{ username: 'keeper', login: false }, ...users, ...odd],
  });
}
