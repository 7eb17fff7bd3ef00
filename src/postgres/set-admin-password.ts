// Our own password on the server: the verifier that is in force, and setting another one under the writer's fence with its row in the audit log.
import type pg from 'pg';
import type { Change } from '../core/change.ts';
import { createVerifier } from '../core/scram.ts';
import { renderChange } from '../core/sql.ts';
import { literal } from '../core/sql-text.ts';
import type { ConnectionConfig } from './connection.ts';
import { auditSql, LOCK_CLASS } from './ledger-write.ts';
import { pinnedRows } from './query.ts';
import { readSalt } from './salt-probe.ts';
import { beginSql, type Timeouts } from './transaction.ts';
import { WRITES } from './writer-lock.ts';

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
  readonly before: string;
  readonly after: string;
}

/**
 * The verifiers of the password in force and of the one that follows it. Where we may not read the first it is made anew, with the salt that
 * the server names to whoever begins a login.
 */
export async function adminVerifiers(
  client: pg.ClientBase,
  config: ConnectionConfig,
  passwords: { readonly before: string; readonly after: string },
): Promise<AdminVerifiers> {
  const [facts] = await pinnedRows(
    client,
    `SELECT coalesce(current_setting('scram_iterations', true), '4096')::int, has_table_privilege('pg_catalog.pg_authid', 'SELECT')`,
  );
  const iterations = Number(facts?.[0]);
  const after = await createVerifier(passwords.after, { iterations });
  const stored = `SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = ${literal(config.DB_USER)}`;
  const rows = facts?.[1] === true ? await pinnedRows(client, stored) : [];
  const [before] = rows[0] ?? [];
  if (typeof before === 'string') return { before, after };
  const asked = await readSalt(config, config.DB_USER, config.DB_NAME).catch(() => undefined);
  const known = asked?.kind === 'salt' ? { salt: Buffer.from(asked.salt, 'base64'), iterations: asked.iterations } : { iterations };
  return { before: await createVerifier(passwords.before, known), after };
}

/**
 * Sets the verifier.
 * @param failure why the one before it is set back.
 * @throws whatever the server answers; with a broken connection nobody knows whether it was set.
 */
export async function setAdminVerifier(client: pg.ClientBase, verifier: string, context: AdminPasswordContext, failure?: string): Promise<void> {
  const render = { major: 0, grantor: '' };
  const { change, source, why } = context;
  const record = failure === undefined ? ({ change, outcome: 'applied' } as const) : ({ change, outcome: 'failed', detail: `set back: ${failure}` } as const);
  const statements = [
    beginSql(context),
    // The Secret forgets the old password next: a server that crashes must not come back with it.
    'SET LOCAL synchronous_commit = on',
    context.fence,
    `SELECT pg_advisory_xact_lock_shared(${LOCK_CLASS}, ${WRITES})`,
    ...renderChange(change, { ...render, verifierOf: () => verifier }),
    ...(context.ledger ? auditSql([record], { source, why, render, witnessOf: () => undefined }) : []),
    'COMMIT',
  ];
  await client.query(statements.join(';\n'));
}
