// The server's own answer to what a role may do (has_*_privilege), held against what its ACLs say for the role and for PUBLIC.
import type pg from 'pg';
import { holdsOn, nameOf, type ObjectWithAcl } from './acl.ts';
import { allPrivileges, type Kind } from './evaluator.ts';

const FUNCTIONS: Partial<Record<Kind, string>> = {
  database: 'has_database_privilege',
  schema: 'has_schema_privilege',
  table: 'has_table_privilege',
  column: 'has_column_privilege',
  sequence: 'has_sequence_privilege',
  function: 'has_function_privilege',
  type: 'has_type_privilege',
};

/**
 * Where the server answers differently than the ACL entries of the role itself and of PUBLIC. Roles that are members of anything are left out,
 * and so are owners on what is theirs. The ACLs have been compared with the document before.
 */
export async function rightsOf(client: pg.Client, objects: readonly ObjectWithAcl[], roles: readonly string[], major: number): Promise<string[]> {
  const loners = await client.query<{ name: string }>(
    `SELECT rolname AS name FROM pg_roles r WHERE rolname = ANY ($1) AND NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)`,
    [roles],
  );
  const questions = loners.rows.flatMap(({ name: role }) =>
    objects
      .filter((object) => FUNCTIONS[object.kind] !== undefined && object.owner !== role)
      .flatMap((object) => allPrivileges(object.kind, major).map((privilege) => ({ role, object, privilege }))),
  );
  const answers = new Map<number, boolean>();
  for (const [kind, name] of Object.entries(FUNCTIONS)) {
    const asked = questions.flatMap((question, index) =>
      question.object.kind === kind
        ? [{ index, role: question.role, oid: question.object.oid, name: question.object.column, privilege: question.privilege }]
        : [],
    );
    const { rows } = await client.query<{ index: number; answer: boolean }>(
      `SELECT index, ${name}(role::name, oid, ${kind === 'column' ? 'name, ' : ''}privilege) AS answer
       FROM json_to_recordset($1) q(index int, role text, oid oid, name text, privilege text)`,
      [JSON.stringify(asked)],
    );
    for (const { index, answer } of rows) answers.set(index, answer);
  }
  return questions.flatMap(({ role, object, privilege }, index) => {
    const whole = object.kind === 'column' ? objects.filter((other) => other.kind === 'table' && other.oid === object.oid) : [];
    const expected = [object, ...whole].some((one) => holdsOn(one, role).has(privilege) || holdsOn(one, '').has(privilege));
    return answers.get(index) === expected ? [] : [`${role} on ${nameOf(object)}: the server says ${String(answers.get(index))} for ${privilege}`];
  });
}
