// A database that is made: a copy of template1, as its maker's.
import type { Change } from '../changes/change.ts';
import { type ObjectGroup, PUBLIC } from '../model/contents.ts';
import { aclOf, builtIn, give } from './acl.ts';
import type { DatabaseAccess } from './state.ts';
import type { World } from './world.ts';

export function newDatabase(world: World, { database, owner = world.facts.admin }: Extract<Change, { readonly kind: 'create_database' }>): void {
  const entries = [...builtIn('database', owner, world.facts.major).values()];
  world.shared.add({ kind: 'database', schema: '', owner, names: [database], extension: false, untouched: true, entries });
  const template = world.contentsOf('template1');
  if (template === undefined) world.unknown.push(`database ${database} is taken to be as databases are made: what else is in template1 was not read`);
  world.addDatabase(database, template ?? asInstalled(world));
  world.forgetRealms();
}

/** As initdb leaves template1. */
function asInstalled({ facts: { major, bootstrap } }: World): DatabaseAccess {
  const owner = major >= 15 ? 'pg_database_owner' : bootstrap;
  const publicSchema = builtIn('schema', owner, major);
  for (const privilege of major >= 15 ? ['USAGE'] : ['USAGE', 'CREATE']) give(publicSchema, { grantee: PUBLIC, grantor: owner, privilege, grantable: false });
  const group = (part: Pick<ObjectGroup, 'kind' | 'owner' | 'names' | 'untouched' | 'extension'>, acl: ReturnType<typeof aclOf>): ObjectGroup => ({
    schema: '',
    ...part,
    entries: [...acl.values()],
  });
  const language = builtIn('language', bootstrap, major);
  return {
    groups: [
      group({ kind: 'schema', owner, names: ['public'], untouched: false, extension: false }, publicSchema),
      group({ kind: 'language', owner: bootstrap, names: ['sql'], untouched: true, extension: false }, language),
      group({ kind: 'language', owner: bootstrap, names: ['plpgsql'], untouched: true, extension: true }, language),
    ],
    defaults: [],
    beside: { rowSecurity: [], views: [], definers: [], largeObjects: null, more: false },
  };
}
