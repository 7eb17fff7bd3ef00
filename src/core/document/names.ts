// Names: what PostgreSQL accepts as the name of a role or database, and Kubernetes as the name of a Secret.

/** Why a text cannot be a name of a database or role; undefined where it can. PostgreSQL keeps 63 bytes and cuts the rest silently. */
export function refuseName(name: string): string | undefined {
  if (name === '') return 'must not be empty';
  if (name.includes('\0')) return 'must not contain NUL';
  if (!name.isWellFormed()) return 'is not well-formed Unicode';
  const bytes = Buffer.byteLength(name);
  return bytes > 63 ? `has ${bytes} bytes of UTF-8; PostgreSQL keeps 63 and would cut the rest silently` : undefined;
}

/** As refuseName, for roles: `public` and `none` are words of GRANT even in quotes. */
export function refuseRoleName(name: string): string | undefined {
  if (name === 'public' || name === 'none') return `«${name}» cannot be the name of a role`;
  return refuseName(name);
}

/** As refuseRoleName, for users: names that begin with pg_ are PostgreSQL's own. */
export function refuseUserName(name: string): string | undefined {
  return name.startsWith('pg_') ? 'names that begin with pg_ are reserved' : refuseRoleName(name);
}

/** The Secret of a user without passwordSecretRef: what a Secret's name cannot have is replaced by `-`. */
export const derivedSecretName = (username: string): string => `user-${[...username].map((char) => (/^[a-z0-9.-]$/.test(char) ? char : '-')).join('')}-secret`;

/** A DNS-1123 subdomain, as names of Secrets are. */
export const isSecretName = (name: string): boolean => name.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);
