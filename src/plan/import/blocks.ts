// Holdings → blocks of grants, as short as a person would write them: what holds the same is one rule, and what is alike in several schemas or databases one block.
import type { Written } from '../../document/write-yaml.ts';
import { furtherName, nameKey, ownName } from '../../model/contents.ts';
import { PRESETS, type PresetName } from '../../document/presets.ts';
import { KINDS, OBJECT_KINDS, type ObjectKind, privilegesOf } from '../../model/kinds.ts';
import { type Wish, wishOf } from '../privileges/rules.ts';
import { EVERYTHING } from './everything.ts';
import { writtenName, writtenPrivileges } from './sayable.ts';
import type { Holding } from './whole-server.ts';

export type Block = Map<string, Written>;

/** From so many on that hold the same, objects beside others have a block of their own. */
const ENOUGH = 3;

export interface BlockFacts {
  readonly major: number;
  /** Whether the role owns a schema: what it may do there is never compared. */
  readonly owns: (database: string, schema: string) => boolean;
}

const keyOf = (kind: ObjectKind): string => KINDS[kind].key ?? '';

/** The blocks that say what is held; every holding can be said. */
export function blocksOf(holdings: readonly Holding[], facts: BlockFacts): readonly Block[] {
  const [shared, inDatabases] = [holdings.filter(({ database }) => database === ''), holdings.filter(({ database }) => database !== '')];
  const perDatabase = [...Map.groupBy(inDatabases, ({ database }) => database)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...merged(
      perDatabase.flatMap(([database, held]) => blocksIn(database, held, facts)),
      'database',
    ),
    ...(shared.length === 0 ? [] : [mapped(shared, new Map(), facts)]),
  ];
}

function blocksIn(database: string, held: readonly Holding[], facts: BlockFacts): readonly Block[] {
  const own = held.find(({ kind }) => kind === 'database');
  const beside = held.filter(({ kind }) => kind !== 'database' && kind !== 'schema' && KINDS[kind].scope !== 'schema');
  const schemaOf = (holding: Holding): string => (holding.kind === 'schema' ? ownName(holding.name) : holding.schema);
  const inSchemas = held.filter(({ kind }) => kind === 'schema' || KINDS[kind].scope === 'schema');
  const schemas = [...Map.groupBy(inSchemas, schemaOf)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const blocks = merged(
    schemas.flatMap(([schema, those]) => schemaBlocks(database, schema, those, facts)),
    'schemas',
  );
  if (own === undefined && beside.length === 0) return blocks;
  const onDatabase: Block = new Map<string, Written>([['database', database]]);
  if (own !== undefined) onDatabase.set('databasePrivileges', writtenPrivileges(own.wish, 'database', facts.major));
  const [first, ...others] = blocks;
  if (beside.length > 0 || first === undefined) return [mapped(beside, onDatabase, facts), ...blocks];
  return [new Map([...onDatabase, ...first]), ...others];
}

const NOTHING: Wish = wishOf([]);

/** What is held on a schema and in it. */
function schemaBlocks(database: string, schema: string, held: readonly Holding[], facts: BlockFacts): readonly Block[] {
  const own = held.find(({ kind }) => kind === 'schema')?.wish ?? NOTHING;
  const inside = held.filter(({ kind }) => kind !== 'schema');
  // Where nothing is given, no USAGE follows.
  const isPlain = inside.every(({ wish }) => wish.size > 0) && (facts.owns(database, schema) || (own.size === 1 && own.get('USAGE') === false));
  // USAGE follows from what is given in a schema, unless the block says that there is none.
  const said: Written = isPlain ? [schema] : new Map([[schema, writtenPrivileges(own, 'schema', facts.major)]]);
  const again: Written = isPlain || own.size > 0 ? [schema] : said;
  const begun = (isFirst: boolean): Block =>
    new Map<string, Written>([
      ['database', database],
      ['schemas', isFirst ? said : again],
    ]);
  const parts = partsOf(inside, facts);
  if (parts.length === 0) return [begun(true)];
  return parts.map((part, index) => withPreset(new Map([...begun(index === 0), ...part]), facts.major));
}

const KINDS_OF_PRESETS: readonly ObjectKind[] = ['table', 'sequence', 'function', 'type'];

/** A block with a preset in place of what it stands for. What a preset gives on a schema that is only listed is USAGE, or the block stays as it is. */
function withPreset(block: Block, major: number): Block {
  const onEverything = (kind: ObjectKind): string => {
    const targets = block.get(keyOf(kind));
    return textKey(targets instanceof Map ? ((targets as ReadonlyMap<string, Written>).get(EVERYTHING) ?? null) : null);
  };
  const found = (Object.keys(PRESETS) as PresetName[]).find((name) => {
    const gives = (kind: ObjectKind): Written => {
      const privileges = PRESETS[name][kind];
      if (privileges === undefined) return null;
      const all = privileges.includes('ALL') ? privilegesOf(kind, major) : privileges;
      return writtenPrivileges(wishOf(all.map((privilege) => [privilege, false] as const)), kind, major);
    };
    return (!isList(block.get('schemas')) || name !== 'owner') && KINDS_OF_PRESETS.every((kind) => onEverything(kind) === textKey(gives(kind)));
  });
  if (found === undefined) return block;
  const rest = [...block].flatMap(([key, value]): [string, Written][] => {
    if (!(value instanceof Map) || !KINDS_OF_PRESETS.some((kind) => keyOf(kind) === key)) return [[key, value]];
    const left = new Map([...(value as ReadonlyMap<string, Written>)].filter(([name]) => name !== EVERYTHING));
    return left.size === 0 ? [] : [[key, left]];
  });
  const [database, schemas] = [
    rest.filter(([key]) => key === 'database' || key === 'schemas'),
    rest.filter(([key]) => key !== 'database' && key !== 'schemas'),
  ];
  return new Map([...database, ['preset', found], ...schemas]);
}

/** What is held in one schema, as the keys of one or more blocks. */
function partsOf(inside: readonly Holding[], { major }: BlockFacts): readonly Block[] {
  const alike = new Map<string, Block>();
  const rest: Block = new Map();
  const textOf = (holding: Holding): string => textKey(writtenPrivileges(holding.wish, holding.kind, major));
  for (const [kind, those] of byKind(inside.filter(({ kind }) => kind !== 'column'))) {
    const groups = Map.groupBy(those, textOf);
    const single: [string, Written][] = [];
    for (const [text, group] of groups) {
      const privileges = writtenPrivileges(group[0]?.wish ?? NOTHING, kind, major);
      const names = group.map(({ name }) => writtenName(kind, name));
      if (group.length >= (groups.size === 1 ? 2 : ENOUGH))
        alike.set(text, new Map([...(alike.get(text) ?? []), [keyOf(kind), names], ['actions', privileges]]));
      else for (const name of names) single.push([name, privileges]);
    }
    if (single.length > 0) rest.set(keyOf(kind), new Map(single));
  }
  const columns = inside.filter(({ kind }) => kind === 'column');
  if (columns.length > 0) rest.set('columns', writtenColumns(columns, major));
  const blocks = [...alike.values()].map(actionsLast);
  const [first, ...others] = blocks;
  if (rest.size === 0 || first === undefined) return rest.size === 0 ? blocks : [rest];
  return [...rest.keys()].some((key) => first.has(key)) ? [rest, ...blocks] : [actionsLast(new Map([...first, ...rest])), ...others];
}

function actionsLast(block: Block): Block {
  const { actions, others } = { actions: block.get('actions'), others: [...block].filter(([key]) => key !== 'actions') };
  return new Map([...others, ...(actions === undefined ? [] : [['actions', actions] as const])]);
}

function writtenColumns(columns: readonly Holding[], major: number): Written {
  const tables = Map.groupBy(byName(columns), ({ name }) => ownName(name));
  return new Map(
    [...tables].map(([table, those]) => [
      table,
      new Map(those.map(({ name, wish }): [string, Written] => [furtherName(name) ?? '', writtenPrivileges(wish, 'column', major)])),
    ]),
  );
}

/** Each object with its privileges. */
function mapped(held: readonly Holding[], block: Block, { major }: BlockFacts): Block {
  for (const [kind, those] of byKind(held))
    block.set(keyOf(kind), new Map(those.map(({ name, wish }): [string, Written] => [writtenName(kind, name), writtenPrivileges(wish, kind, major)])));
  return block;
}

const byKind = (held: readonly Holding[]): readonly (readonly [ObjectKind, readonly Holding[]])[] =>
  [...Map.groupBy(byName(held), ({ kind }) => kind)].toSorted(([a], [b]) => OBJECT_KINDS.indexOf(a) - OBJECT_KINDS.indexOf(b));

/** In whichever order the server has them: that goes by OIDs, which no document knows. */
function byName(held: readonly Holding[]): readonly Holding[] {
  const keyed = held.map((holding) => ({ holding, key: nameKey(holding.name) }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ holding }) => holding);
}

/** Blocks that say the same of several schemas of one database, or of several databases, as one. */
function merged(blocks: readonly Block[], key: 'schemas' | 'database'): readonly Block[] {
  const alike = Map.groupBy(blocks, (block) => {
    const value = block.get(key);
    return textKey([value === undefined ? '' : isList(value) ? 'list' : typeof value, new Map([...block].filter(([other]) => other !== key))]);
  });
  return [...alike.values()].map((group) => {
    const [first] = group;
    const values = group.map((block) => block.get(key));
    if (first === undefined || group.length === 1) return first ?? new Map();
    if (key === 'database') return new Map([...first].map(([one, value]) => (one === key ? ['databases', values as Written[]] : [one, value])));
    const together: Written = values.every(isList)
      ? values.flat()
      : new Map(values.flatMap((value) => (value instanceof Map ? ([...value] as [string, Written][]) : [])));
    return new Map([...first].map(([one, value]) => [one, one === key ? together : value]));
  });
}

const isList = (value: unknown): value is readonly Written[] => Array.isArray(value);

/** Equal for what is written alike. */
const textKey = (written: Written): string =>
  JSON.stringify(written, (_key, value: unknown) => (value instanceof Map ? ['map', ...(value as ReadonlyMap<unknown, unknown>)] : value));
