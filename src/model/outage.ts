// Outages: why nothing can be done on a server at all, as a closed set: a metric label, the reason of a condition, and what to do about each.

/** What every outage has; the table in docs/troubleshooting.md has a row for each. */
export interface OutageKind {
  /** The reason in the status ConfigMap, in CamelCase. */
  readonly condition: string;
  /** What to do, as the end of a sentence. */
  readonly cure: string;
  /** The same of a server that servers.yaml declares, where that is something else. */
  readonly cureOfDeclared?: string;
}

/** How the address is called that we log in at. */
export const addressWords = (isDeclared: boolean): string => (isDeclared ? '`hosts` of its entry in servers.yaml' : 'DB_HOST');

export const OUTAGES = {
  unreachable: {
    condition: 'ServerUnreachable',
    cure: 'look at DB_HOST, DB_PORT and DB_SSLMODE, at the server, and at network policies between',
    cureOfDeclared:
      'look at `hosts` and `tls` of its entry in servers.yaml and at host and port of its admin Secret, at the server, and at network policies between',
  },
  login_refused: {
    condition: 'LoginRefused',
    cure: 'look at DB_USER and at DB_PASS or DB_PASS_FILE, and at pg_hba.conf and the role on the server',
    cureOfDeclared: 'look at the Secret of `adminSecretRef` of its entry in servers.yaml, and at pg_hba.conf and the role on the server',
  },
  no_database: {
    condition: 'DatabaseMissing',
    cure: 'look at DB_NAME, or create that database',
    cureOfDeclared: 'look at `database` of its entry in servers.yaml or `dbname` of its admin Secret, or create that database',
  },
  unsupported_version: {
    condition: 'VersionUnsupported',
    cure: 'upgrade the server, or point DB_HOST at another',
    cureOfDeclared: 'upgrade the server, or point its entry in servers.yaml at another',
  },
  standby: {
    condition: 'ServerIsStandby',
    cure: 'point DB_HOST at the primary; where this server is promoted, it goes on by itself',
    cureOfDeclared: 'add the primary to `hosts` of its entry in servers.yaml; where one of them is promoted, it goes on by itself',
  },
  no_right: { condition: 'RightMissing', cure: 'give DB_USER that right', cureOfDeclared: 'give the role of its admin Secret that right' },
  another_writer: {
    condition: 'AnotherWriter',
    cure: 'one document for both, or a server or a DB_USER for each; it goes on by itself when the other one ends',
    cureOfDeclared: 'let one entry, or one pgsteward, declare it, or give each an admin of its own; it goes on by itself when the other one ends',
  },
  too_large: {
    condition: 'ServerTooLarge',
    cure: 'find out who made so many of them, or so long names, comments and settings, and take them away',
  },
  failed: { condition: 'CycleFailed', cure: 'the next cycle tries again; look at the log of the server' },
} as const satisfies Readonly<Record<string, OutageKind>>;

export type OutageReason = keyof typeof OUTAGES;
export const OUTAGE_REASONS = Object.keys(OUTAGES) as readonly OutageReason[];

/** An outage that the server's own errors do not tell. */
export class Outage extends Error {
  override readonly name = 'Outage';
  readonly reason: OutageReason;
  constructor(reason: OutageReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The majors that are supported; an older one lacks what is relied on, and of a newer one nobody knows yet. */
export const MAJORS = { oldest: 14, newest: 18 } as const;
