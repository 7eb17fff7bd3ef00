// Secrets of PostgreSQL operators and others → entries of servers.yaml, for people to look at and commit. Nothing of their passwords is in them.
import { secretNameProblem } from '../../document/names.ts';
import type { Written } from '../../document/write-yaml.ts';
import type { HostPort } from '../../model/fleet.ts';
import { MANAGED_BY } from '../../model/secret-annotations.ts';
import { type AdminCredentials, adminCredentialsIn, type SecretValues } from './admin-credentials.ts';

export interface CandidateSecret {
  readonly name: string;
  readonly labels: Readonly<Record<string, unknown>>;
  readonly values: SecretValues;
}

export interface Discovered {
  readonly entry: Written;
  /** What is to be known of it, a sentence each. */
  readonly remarks: readonly string[];
}

/** Whose Secret it is, by the labels of its operator. */
interface Kind {
  readonly what: string;
  readonly cluster: string;
  readonly user: string | undefined;
  /** The Service of the primary. */
  readonly service: (cluster: string) => string;
  readonly remark: (cluster: string) => string;
}

const KINDS: readonly Kind[] = [
  {
    what: 'CloudNativePG',
    cluster: 'cnpg.io/cluster',
    user: undefined,
    service: (cluster) => `${cluster}-rw`,
    remark: () => 'it is the superuser, whose Secret is there only with enableSuperuserAccess: a role of its own with CREATEROLE is better',
  },
  {
    what: 'Zalando',
    cluster: 'cluster-name',
    user: 'postgres',
    service: (cluster) => cluster,
    remark: () => 'the operator writes the roles that its manifest names again every half hour: leave them out of the documents',
  },
  {
    what: 'Crunchy',
    cluster: 'postgres-operator.crunchydata.com/cluster',
    user: undefined,
    service: (cluster) => `${cluster}-primary`,
    remark: (cluster) => `only a user named postgres in the spec.users of ${cluster} is a superuser; another one needs CREATEROLE`,
  },
];

/** Labels of Secrets that are looked at, as selectors of the API server. */
export const SELECTORS: readonly Readonly<Record<string, string>>[] = [
  { labelSelector: 'cnpg.io/cluster,cnpg.io/userType=superuser' },
  { labelSelector: 'application=spilo,cluster-name' },
  { labelSelector: 'postgres-operator.crunchydata.com/cluster,postgres-operator.crunchydata.com/pguser' },
  { labelSelector: 'pgsteward.dev/server' },
  { fieldSelector: 'type=servicebinding.io/postgresql' },
  { fieldSelector: 'type=kubernetes.io/basic-auth' },
];

/** Entries for all servers that the Secrets lead to, each once. */
export function discoveredIn(secrets: readonly CandidateSecret[], namespace: string): readonly Discovered[] {
  const found = new Map<string, Discovered>();
  const names = new Set<string>();
  const addresses = new Set<string>();
  for (const secret of secrets.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))) {
    const credentials = adminCredentialsIn(secret.values, { name: secret.name });
    // Connection Secrets that we made lead to servers that are kept, as users of theirs.
    if (typeof credentials === 'string' || secretNameProblem(secret.name) !== undefined || secret.labels[MANAGED_BY] === 'pgsteward') continue;
    const kind = kindOf(secret);
    const cluster = kind === undefined ? undefined : String(secret.labels[kind.cluster]);
    if (kind?.user !== undefined && credentials.user !== kind.user) continue;
    const address = addressOf(kind, cluster, credentials, namespace);
    if (address === undefined) continue;
    const where = `${address.host}:${address.port}`;
    const key = kind === undefined ? where : `${kind.what} ${cluster}`;
    if (found.has(key) || addresses.has(where)) continue;
    addresses.add(where);
    const wish = secret.labels['pgsteward.dev/server'];
    const name = freeName(typeof wish === 'string' ? wish : (cluster ?? secret.name), names);
    found.set(key, { entry: entryOf(name, secret, address), remarks: remarksOf(name, secret, kind, cluster) });
  }
  return [...found.values()];
}

const kindOf = ({ labels }: CandidateSecret): Kind | undefined => KINDS.find((one) => typeof labels[one.cluster] === 'string');

/** Of the users of one cluster the one that is called postgres comes first, and what an operator made before what leads to the same place. */
function rank(secret: CandidateSecret): number {
  if (kindOf(secret) === undefined) return 2;
  return secret.labels['postgres-operator.crunchydata.com/pguser'] === 'postgres' || secret.name.endsWith('-superuser') ? 0 : 1;
}

/** The whole name of the Service, which means the same everywhere. */
function addressOf(kind: Kind | undefined, cluster: string | undefined, { address }: AdminCredentials, namespace: string): HostPort | undefined {
  if (address?.host.includes('.') === true || kind === undefined || cluster === undefined) return address;
  return { host: `${kind.service(cluster)}.${namespace}.svc`, port: address?.port ?? 5432 };
}

function freeName(wish: string, taken: Set<string>): string {
  const clean =
    wish
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .slice(0, 58)
      .replaceAll(/^-+|-+$/g, '') || 'server';
  let name = clean;
  for (let count = 2; taken.has(name); count += 1) name = `${clean}-${count}`;
  taken.add(name);
  return name;
}

const entryOf = (name: string, secret: CandidateSecret, { host, port }: HostPort): Written =>
  new Map<string, Written>([
    ['name', name],
    ['hosts', [`${host.includes(':') ? `[${host}]` : host}:${port}`]],
    ['adminSecretRef', new Map([['name', secret.name]])],
    ['documents', [new Map([['name', `${name}-users`]])]],
  ]);

const remarksOf = (name: string, secret: CandidateSecret, kind: Kind | undefined, cluster: string | undefined): readonly string[] => [
  `${name}: ${kind === undefined ? 'the login' : `the ${kind.what} cluster ${cluster}, as`} of the Secret ${secret.name}${kind === undefined ? '' : `; ${kind.remark(cluster ?? '')}`}`,
];
