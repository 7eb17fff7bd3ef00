// What moves a server in a test by hand: its roles and the ledger, as a dump would make them on another server.
import { ensureLedger } from '../../src/postgres/ledger-schema.ts';
import type { Postgres } from './postgres.ts';

export interface Copied {
  /** As pg_dumpall keeps them, or leaves them out with --no-role-passwords. */
  readonly passwords?: boolean;
  /** Which roles come along. */
  readonly keep?: (role: string) => boolean;
  /** Who owns the ledger there; the superuser where nobody is named. */
  readonly owner?: { readonly user: string; readonly password: string };
}

/** Makes roles, memberships and the ledger on another server. What is made before them moves the OIDs on. */
export async function copyByHand(from: Postgres, to: Postgres, { passwords = true, keep = () => true, owner }: Copied = {}): Promise<void> {
  await to.query('CREATE ROLE padding_a; CREATE ROLE padding_b; CREATE TABLE public.padding (id int)');
  const roles = await from.query<{ name: string; sql: string }>(
    `SELECT rolname AS name, format('CREATE ROLE %I %s %s PASSWORD %L', rolname, CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
       CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE '' END, ${passwords ? 'rolpassword' : 'NULL'}) AS sql
     FROM pg_authid WHERE rolname !~ '^pg_' AND rolname <> 'postgres' ORDER BY 1 DESC`,
  );
  for (const { name, sql } of roles) if (keep(name)) await to.query(sql);
  const members = await from.query<{ role: string; member: string; sql: string }>(
    `SELECT r.rolname AS role, m.rolname AS member, format('GRANT %I TO %I', r.rolname, m.rolname) AS sql FROM pg_auth_members a
       JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member WHERE r.rolname !~ '^pg_'`,
  );
  for (const { role, member, sql } of members) if (keep(role) && keep(member)) await to.query(sql);
  await copyLedger(from, to, owner);
}

/** The schema `pgsteward` alone, as it comes with the database that it is in. */
export async function copyLedger(from: Postgres, to: Postgres, owner?: Copied['owner']): Promise<void> {
  const client = await to.client('postgres', owner);
  try {
    await client.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
    await ensureLedger(client, { statementTimeout: 60, lockTimeout: 5 });
    for (const table of ['managed_role', 'audit_log', 'trigger_database']) {
      const [row] = await from.query<{ rows: unknown }>(`SELECT coalesce(jsonb_agg(t), '[]') AS rows FROM pgsteward.${table} t`);
      await client.query(`INSERT INTO pgsteward.${table} SELECT * FROM jsonb_populate_recordset(NULL::pgsteward.${table}, $1)`, [JSON.stringify(row?.rows)]);
    }
  } finally {
    await client.end();
  }
}
