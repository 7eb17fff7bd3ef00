// Which parameters a document may set for a role, and which privileges on them it may give.

/** As in Law: each answers with the reason of a refusal, or undefined where there is none. */
export interface ParameterLaw {
  readonly refuseSetting: (name: string) => string | undefined;
  readonly refuseParameter: (name: string, privilege: string) => string | undefined;
}

/**
 * @param parameters those of the server, with their pg_settings.context.
 * @param allowed those that the operator allows by name.
 */
export function parameterLaw(parameters: ReadonlyMap<string, string>, allowed: ReadonlySet<string>): ParameterLaw {
  const refuseSetting = (name: string): string | undefined => {
    if (allowed.has(name)) return undefined;
    const context = parameters.get(name);
    const reason =
      context === undefined ? unknownParameter(name) : context === 'user' ? libraryParameter(name) : `it is not for ordinary users to set (context ${context})`;
    return reason === undefined ? undefined : `${reason}; ALLOWED_SETTINGS=${name} allows it`;
  };
  return {
    refuseSetting,
    refuseParameter: (name, privilege) => {
      if (allowed.has(name)) return undefined;
      const reason = privilege === 'ALTER SYSTEM' ? 'it changes the whole server' : powerfulParameter(name);
      // Whoever may SET it does for itself what no document may set for it.
      return reason === undefined ? refuseSetting(name) : `${reason}; ALLOWED_SETTINGS=${name} allows it`;
    },
  };
}

/** A parameter that the server does not know is a custom one; those of procedural languages and of server modules can run code at login. */
const unknownParameter = (name: string): string | undefined =>
  name.includes('.') && (/^(pl|pg)|^(auto_explain|session|local|shared)/.test(name) || MODULES.has(name.slice(0, name.indexOf('.'))))
    ? 'it may belong to a module of the server'
    : undefined;

/**
 * Modules with parameters for superusers alone. One that is loaded in some sessions only is unknown in ours, and it takes what a superuser put on a
 * role as a superuser's word: anon would no longer mask, set_user no longer block.
 */
const MODULES: ReadonlySet<string> = new Set(
  'alloydb anon apg_plan_mgmt aurora azure babelfishpg_tsql bdr citus cloudsql credcheck cron duckdb google_columnar_engine passwordcheck rds sepgsql set_user spock supautils timescaledb'.split(
    ' ',
  ),
);

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
