// Our own password on the server: the verifier that is in force, and setting another one under the writer's fence with its row in the audit log.
import type pg from 'pg';
import type { Change } from '../changes/change.ts';
import { mostIterations } from '../plan/secrets/password-check.ts';
import { createVerifier, type StoredVerifier, storedVerifier } from '../model/scram.ts';
import { renderChange } from '../changes/render.ts';
import { literal } from '../sql/sql-text.ts';
import type { ServerLogin } from './connection.ts';
import { auditSql } from './audit-write.ts';
import { HIDE_STATEMENTS } from './pins.ts';
import { pinnedRows } from './query.ts';
import { SCRAM_ITERATIONS } from './read-facts.ts';
import { readSalt } from './salt-probe.ts';
import { beginSql, type Timeouts } from './transaction.ts';

export interface AdminPasswordContext extends Timeouts {
  readonly change: Extract<Change, { kind: 'rotate_admin_password' }>;
  readonly fence: string;
  /** Whether the ledger is there to write to. */
  readonly ledger: boolean;
  /** `namespace/name` of the ConfigMap. */
  readonly source: string;
  /** `namespace/name@version` of the Secret. */
  readonly why: string;
}

export interface AdminVerifiers {
  /** Of the password in force, as the server has it: a pooler may keep a copy. */
  readonly before: StoredVerifier;
  readonly after: StoredVerifier;
}

/**
 * The verifiers of the password in force and of the one that follows it. Where we may not read the first it is made anew, with the salt that
 * the server names to whoever begins a login.
 */
export async function adminVerifiers(
  client: pg.ClientBase,
  server: ServerLogin,
  passwords: { readonly before: string; readonly after: string },
): Promise<AdminVerifiers> {
  const [facts] = await pinnedRows(client, `SELECT ${SCRAM_ITERATIONS}, has_table_privilege('pg_catalog.pg_authid', 'SELECT')`);
  const iterations = Number(facts?.[0]);
  const after = await createVerifier(passwords.after, { iterations });
  const stored = `SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = ${literal(server.user)}`;
  const rows = facts?.[1] === true ? await pinnedRows(client, stored) : [];
  const [text] = rows[0] ?? [];
  const before = typeof text === 'string' ? storedVerifier(text) : undefined;
  if (before !== undefined) return { before, after };
  const asked = await readSalt(server, server.user, server.adminDatabase).catch(() => undefined);
  const isKnown = asked?.kind === 'salt' && asked.iterations <= mostIterations(iterations);
  const known = isKnown ? { salt: Buffer.from(asked.salt, 'base64'), iterations: asked.iterations } : { iterations };
  return { before: await createVerifier(passwords.before, known), after };
}

/**
 * Sets the verifier.
 * @param failure why the one before it is set back.
 * @throws whatever the server answers; with a broken connection nobody knows whether it was set.
 */
export async function setAdminVerifier(client: pg.ClientBase, verifier: StoredVerifier, context: AdminPasswordContext, failure?: string): Promise<void> {
  const render = { major: 0, grantor: '' };
  const { change, why } = context;
  const record = failure === undefined ? ({ change, outcome: 'applied' } as const) : ({ change, outcome: 'failed', detail: `set back: ${failure}` } as const);
  const statements = [
    beginSql(context),
    HIDE_STATEMENTS,
    // The Secret forgets the old password next: a server that crashes must not come back with it.
    'SET LOCAL synchronous_commit = on',
    context.fence,
    ...renderChange({ ...change, verifier }, render),
    ...(context.ledger ? auditSql([record], { why, render }) : []),
    'COMMIT',
  ];
  await client.query(statements.join(';\n'));
}
