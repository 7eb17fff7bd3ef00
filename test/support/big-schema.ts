// A schema in the shape and size of a grown public application: hundreds of tables, views, functions and sequences, always the same ones.

const NOUNS = `
  tenant alert asset branch binary bundle cache campaign certificate channel cluster comment commit contract dashboard deployment device
  domain environment epic event export feature filter group hook import invoice issue job key label license member milestone namespace note
  package pipeline plan project protected_tag release report review route runner secret service session snippet stage subscription tag team
  todo token upload user vulnerability webhook wiki`
  .trim()
  .split(/\s+/);
const PARTS = ['s', '_settings', '_statistics', '_links', '_audit_entries', '_archive'] as const;
const TYPES = ['text', 'integer', 'bigint', 'boolean DEFAULT false', 'timestamptz DEFAULT now()', 'jsonb', 'uuid', 'numeric(12, 2)', 'text[]', 'inet'] as const;

export interface BigSchema {
  readonly tables: readonly string[];
  readonly views: readonly string[];
  readonly functions: readonly string[];
  readonly sequences: readonly string[];
  readonly sql: string;
}

/** The SQL that creates it all in an existing schema, as whoever runs it, and the names by kind; `schema` is quoted already. */
export function bigSchema(schema: string): BigSchema {
  const statements: string[] = [];
  const names: Record<'tables' | 'views' | 'functions' | 'sequences', string[]> = { tables: [], views: [], functions: [], sequences: [] };
  let state = 20_261_121;
  /** The same numbers in every run. */
  const below = (limit: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  const create = (kind: keyof typeof names, name: string, sql: string): void => {
    names[kind].push(name);
    statements.push(sql.replaceAll('@', `${schema}.${name}`));
  };

  for (const [index, noun] of NOUNS.entries()) {
    if (index % 4 === 0) statements.push(`CREATE TYPE ${schema}.${noun}_state AS ENUM ('new', 'open', 'closed')`);
    if (index % 9 === 0) statements.push(`CREATE DOMAIN ${schema}.${noun}_name AS text CHECK (length(VALUE) < 256)`);
    for (const part of PARTS) {
      const columns = Array.from({ length: 2 + below(14) }, (_, column) => `${noun}_field_${column} ${TYPES[below(TYPES.length)] ?? 'text'}`);
      const partitioned = part === '_audit_entries' && index % 8 === 0;
      const table = `${noun}${part}`;
      create(
        'tables',
        table,
        `CREATE TABLE @ (id bigserial${partitioned ? '' : ' PRIMARY KEY'}, ${columns.join(', ')})${partitioned ? ' PARTITION BY HASH (id)' : ''}`,
      );
      names.sequences.push(`${table}_id_seq`);
      if (partitioned)
        for (const rest of [0, 1, 2])
          create('tables', `${table}_${rest}`, `CREATE TABLE @ PARTITION OF ${schema}.${table} FOR VALUES WITH (MODULUS 3, REMAINDER ${rest})`);
    }
    create('views', `recent_${noun}s`, `CREATE VIEW @ AS SELECT id FROM ${schema}.${noun}s ORDER BY id DESC LIMIT 100`);
    if (index % 3 === 0) create('views', `${noun}_totals`, `CREATE MATERIALIZED VIEW @ AS SELECT count(*) AS total FROM ${schema}.${noun}s`);
    if (index % 2 === 0) create('sequences', `${noun}_numbers`, 'CREATE SEQUENCE @');
    create('functions', `count_${noun}s`, `CREATE FUNCTION @() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM ${schema}.${noun}s'`);
    create('functions', `touch_${noun}`, 'CREATE FUNCTION @(bigint, text) RETURNS bigint LANGUAGE sql AS $$SELECT $1$$');
    create('functions', `touch_${noun}`, 'CREATE FUNCTION @(bigint, VARIADIC text[]) RETURNS bigint LANGUAGE sql AS $$SELECT $1$$');
    if (index % 5 === 0) create('functions', `purge_${noun}s`, `CREATE PROCEDURE @(integer) LANGUAGE sql AS 'DELETE FROM ${schema}.${noun}s WHERE id < $1'`);
    create('functions', `stamp_${noun}`, 'CREATE FUNCTION @() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$');
    statements.push(`CREATE TRIGGER stamp BEFORE UPDATE ON ${schema}.${noun}s FOR EACH ROW EXECUTE FUNCTION ${schema}.stamp_${noun}()`);
    if (index % 10 === 0) statements.push(`CREATE TYPE ${schema}.${noun}_window AS RANGE (SUBTYPE = bigint)`);
  }
  return { ...names, sql: statements.join(';\n') };
}
