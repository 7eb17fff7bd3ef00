// What PUBLIC may do in a database, where that is not what the server gives it by itself.
import type { Written } from '../../document/write-yaml.ts';
import { type DatabaseContents, ownName, PUBLIC } from '../../model/contents.ts';
import type { ObjectKind } from '../../model/kinds.ts';
import { type Wish, wishOf } from '../privileges/rules.ts';
import { type Block, blocksOf } from './blocks.ts';
import { whyUnsaid } from './sayable.ts';
import type { Holding } from './whole-server.ts';

export interface SaidOfPublic {
  /** The value of `public`; undefined where there is nothing to say. */
  readonly value: Written | undefined;
  /** How many of its grants cannot be said. */
  readonly unsaid: number;
}

const wish = (...privileges: readonly string[]): Wish => wishOf(privileges.map((privilege) => [privilege, false] as const));
const NOTHING = wish();

/** What PUBLIC has on an object that nobody touched. */
function byDefault(kind: ObjectKind, name: string, major: number): Wish {
  if (kind === 'database') return wish('CONNECT', 'TEMPORARY');
  if (kind === 'function') return wish('EXECUTE');
  if (kind === 'type' || kind === 'language') return wish('USAGE');
  if (kind === 'schema' && name === 'public') return major >= 15 ? wish('USAGE') : wish('USAGE', 'CREATE');
  return NOTHING;
}

/** @param onDatabase what PUBLIC holds on the database itself. */
export function publicOf({ name: database, groups }: DatabaseContents, onDatabase: Wish, major: number): SaidOfPublic {
  const all = groups.flatMap(({ kind, schema, names, extension, entries }): Holding[] => {
    // What an extension gives everybody is its own; languages have nothing of the kind.
    if (extension && kind !== 'language') return [];
    const held = wishOf(entries.flatMap(({ grantee, privilege }) => (grantee === PUBLIC ? [[privilege, false] as const] : [])));
    return names.map((name) => ({ database, kind, schema, name, wish: held }));
  });
  const schemas = new Map(all.flatMap((one) => (one.kind === 'schema' ? [[ownName(one.name), one] as const] : [])));
  const different = [{ database, kind: 'database' as const, schema: '', name: database, wish: onDatabase }, ...all].filter(
    ({ kind, name, wish: held }) => held !== byDefault(kind, ownName(name), major),
  );
  const sayable = different.filter((one) => {
    const own = one.kind === 'schema' ? undefined : schemas.get(one.schema)?.wish;
    // What is granted in a schema brings USAGE on it, but where nothing is held on the schema at all.
    const bringsMore = one.wish.size > 0 && own !== undefined && own.size > 0 && !own.has('USAGE');
    return whyUnsaid(one) === undefined && !bringsMore;
  });
  const named = new Set(sayable.map(({ schema }) => schema));
  const around = [...schemas.values()].filter((one) => named.has(ownName(one.name)) && !sayable.includes(one));
  const blocks = blocksOf([...sayable, ...around], { major, owns: () => false }).map(
    (block): Block => new Map([...block].filter(([key]) => key !== 'database')),
  );
  const [first] = blocks;
  const value = first === undefined ? undefined : blocks.length > 1 ? blocks : isRevoked(first) ? 'revoked' : first;
  return { value, unsaid: different.length - sayable.length };
}

/** Nothing on the database, and nothing on the schema public: there is a word for that. */
function isRevoked(block: Block): boolean {
  const [privileges, schemas] = [block.get('databasePrivileges'), block.get('schemas')];
  const [schema, ...others] = schemas instanceof Map ? [...(schemas as ReadonlyMap<string, Written>)] : [];
  const isEmpty = (value: Written | undefined): boolean => Array.isArray(value) && value.length === 0;
  return block.size === 2 && isEmpty(privileges) && others.length === 0 && schema?.[0] === 'public' && isEmpty(schema[1]);
}
