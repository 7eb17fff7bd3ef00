// The law of what may be touched: reserved, powerful, protected and foreign roles are refused, each with its reason.
import type { Catalog } from './catalog.ts';
import { leavesTheServer, reachOf } from './reach.ts';

export interface LawOptions {
  /** namespace/ConfigMap of the document. */
  readonly source: string;
  /** The role that we log in as, also where SET ROLE makes it act as another. */
  readonly adminLogin: string;
  readonly protectedRoles: ReadonlySet<string>;
  /** Roles that the operator allows by name, for adoption and for membership. */
  readonly allowedRoles: ReadonlySet<string>;
  readonly allowedSettings: ReadonlySet<string>;
}

/** Each function answers with the reason of a refusal, or undefined where there is none. */
export interface Law {
  /** May this role be created, changed or removed for our source? */
  readonly refuseToManage: (name: string) => string | undefined;
  /** May a document make somebody a member of this role? */
  readonly refuseMembership: (role: string) => string | undefined;
  /** May a document make this role the owner of a database or schema? */
  readonly refuseOwnership: (role: string) => string | undefined;
  /** May a document give somebody this privilege on a parameter (lower case)? */
  readonly refuseParameter: (name: string, privilege: string) => string | undefined;
  /** May a document set this parameter (lower case) for a role? */
  readonly refuseSetting: (name: string) => string | undefined;
}

export function lawOf(catalog: Catalog, options: LawOptions): Law {
  const reach = reachOf(catalog.cluster.memberships);
  const roles = catalog.cluster.roles;

  const isAdmin = (name: string): boolean => name === catalog.server.admin || name === options.adminLogin;

  /** Recorded as ours, and still the very role that was recorded. */
  const isOurs = (name: string): boolean => {
    const oid = catalog.managed.get(name)?.oid;
    return oid !== undefined && (oid === 0 || oid === catalog.oids.get(name));
  };

  const protectedReason = (name: string): string | undefined => {
    if (isAdmin(name)) return 'it is the role that pgsteward itself works as';
    if (options.protectedRoles.has(name)) return 'PROTECTED_ROLES names it';
    const role = roles.get(name);
    if (role?.superuser === true) return 'it is a superuser';
    if (role?.replication === true) return 'it has the REPLICATION attribute';
    return undefined;
  };

  /** What a role would give to whoever holds it, beyond what a document may hand out. */
  const powerReason = (name: string): string | undefined => {
    for (const reached of reach(name)) {
      const through = reached === name ? '' : ` through its membership in ${reached}`;
      if (leavesTheServer(reached)) return `it reaches the server's files or programs${through}`;
      const reason = reached === name ? undefined : protectedReason(reached);
      if (reason !== undefined) return `it is a member of ${reached}, and ${reason.replace(/^it /, 'that ')}`;
      const role = roles.get(reached);
      if (role?.createrole === true) return `it can create roles${through}`;
      if (role?.bypassrls === true) return `it bypasses row security${through}`;
    }
    return undefined;
  };

  const foreignReason = (name: string): string | undefined => {
    const owner = catalog.managed.get(name)?.source;
    return owner === undefined || owner === options.source ? undefined : `it belongs to the source ${owner}`;
  };

  const refuseSetting = (name: string): string | undefined => {
    if (options.allowedSettings.has(name)) return undefined;
    const context = catalog.parameters.get(name);
    const reason =
      context === undefined ? unknownParameter(name) : context === 'user' ? libraryParameter(name) : `it is not for ordinary users to set (context ${context})`;
    return reason === undefined ? undefined : `${reason}; ALLOWED_SETTINGS=${name} allows it`;
  };

  return {
    refuseSetting,
    refuseParameter: (name, privilege) => {
      if (options.allowedSettings.has(name)) return undefined;
      const reason = privilege === 'ALTER SYSTEM' ? 'it changes the whole server' : powerfulParameter(name);
      return reason === undefined ? undefined : `${reason}; ALLOWED_SETTINGS=${name} allows it`;
    },
    refuseOwnership: (role) => (role.startsWith('pg_') ? 'names that begin with pg_ are reserved' : (protectedReason(role) ?? foreignReason(role))),
    refuseToManage: (name) => {
      if (name.startsWith('pg_')) return 'names that begin with pg_ are reserved';
      const reason = protectedReason(name) ?? foreignReason(name);
      if (reason !== undefined) return reason;
      if (!roles.has(name) || isOurs(name) || options.allowedRoles.has(name)) return undefined;
      const power = powerReason(name);
      return power === undefined ? undefined : `${power}; ALLOWED_ROLES=${name} allows it`;
    },
    refuseMembership: remembered((role) => {
      if (isAdmin(role)) return protectedReason(role);
      if (options.allowedRoles.has(role)) return foreignReason(role);
      const reason = protectedReason(role) ?? (role.startsWith('pg_') ? 'it is a predefined role' : undefined) ?? foreignReason(role) ?? powerReason(role);
      return reason === undefined ? undefined : `${reason}; ALLOWED_ROLES=${role} allows it`;
    }),
  };
}

/** A parameter that the server does not know is a custom one; those of procedural languages and of server modules can run code at login. */
const unknownParameter = (name: string): string | undefined =>
  /^(pl|pg)|^(auto_explain|session|local|shared)/.test(name) && name.includes('.') ? 'it may belong to a module of the server' : undefined;

/** Ordinary users may set this one, but it loads a library from the server's file system at every login. */
const libraryParameter = (name: string): string | undefined => (name === 'local_preload_libraries' ? 'it loads libraries of the server' : undefined);

/** What lets whoever may SET it load code, read files, run programs, or get past triggers and rights. */
const powerfulParameter = (name: string): string | undefined =>
  unknownParameter(name) ??
  (/(_libraries|_library|_path|_command)$|^(session_replication_role|lo_compat_privileges|allow_|ignore_|zero_|event_triggers$|plperl|pltcl|plpython)/.test(
    name,
  ) && name !== 'search_path'
    ? 'it leads to code, files or rights beyond the database'
    : undefined);

/** The answers of a pure function, each found once: the same role is asked for by every member of it. */
function remembered(answer: (name: string) => string | undefined): (name: string) => string | undefined {
  const answers = new Map<string, string | undefined>();
  return (name) => {
    if (!answers.has(name)) answers.set(name, answer(name));
    return answers.get(name);
  };
}
