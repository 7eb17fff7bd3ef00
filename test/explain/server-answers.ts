// What the server itself says of many roles and privileges at once: has_*_privilege, called here and not by what is tested.
import type pg from 'pg';
import type { FoundObject } from '../../src/postgres/read-securable.ts';
import type { ObjectKind } from '../../src/model/kinds.ts';

/** By role and privilege; undefined where the server has no answer for the kind. */
export type Answers = (role: string, privilege: string) => boolean | undefined;

const FUNCTIONS: Readonly<Partial<Record<ObjectKind, string>>> = {
  large_object: 'has_largeobject_privilege',
  foreign_server: 'has_server_privilege',
};

/** One question for all of them. */
export async function serverAnswers(
  client: pg.Client,
  { object, oid, attnum }: FoundObject,
  roles: readonly string[],
  privileges: readonly string[],
  major: number,
): Promise<Answers> {
  if (object.kind === 'large_object' && major < 18) return () => undefined;
  const name = FUNCTIONS[object.kind] ?? `has_${object.kind}_privilege`;
  const which = object.kind === 'parameter' ? '$3::text' : object.kind === 'column' ? `$3::oid, ${attnum}::int2` : '$3::oid';
  const { rows } = await client.query<{ role: string; privilege: string; may: boolean | null }>(
    `SELECT r.role, p.privilege, pg_catalog.${name}(r.role::name, ${which}, p.privilege) AS may FROM unnest($1::text[]) r(role), unnest($2::text[]) p(privilege)`,
    [roles, privileges, object.kind === 'parameter' ? object.name : oid],
  );
  const answers = new Map(rows.map(({ role, privilege, may }) => [JSON.stringify([role, privilege]), may ?? undefined]));
  return (role, privilege) => answers.get(JSON.stringify([role, privilege]));
}
