// Authors as an operator declares them, for tests.
import type { Author, Scope } from '../../src/model/fleet.ts';

/** An author whose ConfigMaps are in a namespace of its name, with the label `author`; its names, database and schemas begin with its name. */
export const authorOf = (name: string, may: Partial<Scope> = {}, more: Partial<Author> = {}): Author => ({
  name,
  from: { namespace: name, matchLabels: { author: name } },
  may: {
    names: [`${name}_*`],
    databases: [name],
    schemas: ['*'],
    roles: [],
    users: undefined,
    declaredRoles: undefined,
    connections: undefined,
    settings: [],
    create: false,
    connectionSecrets: false,
    ...may,
  },
  onGone: 'keep',
  grace: 86_400_000,
  maxDeletions: undefined,
  ...more,
});
