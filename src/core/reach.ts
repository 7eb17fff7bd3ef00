// Reach: every role whose rights a role can get through memberships, directly or by way of others.
import type { Membership } from './model.ts';

/** Predefined roles that lead out of the database, to the server's files and programs. */
const ESCAPES: ReadonlySet<string> = new Set(['pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program']);

export const leavesTheServer = (role: string): boolean => ESCAPES.has(role);

/** A function that answers what a role reaches, itself included; built once for a catalog. */
export function reachOf(memberships: readonly Membership[]): (role: string) => ReadonlySet<string> {
  const granted = new Map<string, string[]>();
  for (const { role, member } of memberships) {
    const roles = granted.get(member);
    if (roles === undefined) granted.set(member, [role]);
    else roles.push(role);
  }
  return (start) => {
    const reached = new Set([start]);
    // A Set's iteration also visits what is added while it runs.
    for (const role of reached) for (const next of granted.get(role) ?? []) reached.add(next);
    return reached;
  };
}
