// Secrets of a test on a real API server, and programs that log in with them.
import pg from 'pg';
import type { KubeCase } from './kube-case.ts';
import { rememberPassword } from './secrets.ts';

export interface Secret {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
    readonly managedFields?: readonly { readonly manager: string; readonly operation: string }[];
  };
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

/** As a cluster admin, in the case's namespace where none is named. */
export interface KubeSecrets {
  readonly pathOf: (name: string, namespace?: string) => string;
  readonly secretAt: (name: string, namespace?: string) => Promise<Secret | undefined>;
  /** What stands in it as text; every password is looked for in all that pgsteward says. */
  readonly valuesOf: (name: string, namespace?: string) => Promise<Record<string, string>>;
  readonly annotate: (name: string, annotations: Readonly<Record<string, string | null>>) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
  readonly names: (namespace?: string) => Promise<string[]>;
}

export function kubeSecrets(at: KubeCase): KubeSecrets {
  const pathOf = (name: string, namespace = at.namespace): string => `/api/v1/namespaces/${namespace}/secrets${name === '' ? '' : `/${name}`}`;
  const secretAt = async (name: string, namespace?: string): Promise<Secret | undefined> => {
    const { status, json } = await at.kube.api('GET', pathOf(name, namespace));
    return status === 200 ? (json as unknown as Secret) : undefined;
  };
  return {
    pathOf,
    secretAt,
    valuesOf: async (name, namespace) => {
      const secret = await secretAt(name, namespace);
      const values = Object.fromEntries(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
      if (values['password'] !== undefined) rememberPassword(values['password']);
      return values;
    },
    annotate: async (name, annotations) => {
      const { status } = await at.kube.api('PATCH', pathOf(name), { metadata: { annotations } });
      if (status !== 200) throw new Error(`the Secret ${name} is not annotated: ${status}`);
    },
    remove: async (name) => void (await at.kube.api('DELETE', pathOf(name))),
    names: async (namespace) =>
      ((await at.kube.api('GET', pathOf('', namespace))).json['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name).toSorted(),
  };
}

/** As a program that knows nothing but the URI. */
export async function queryBy<T extends object>(uri: string, sql: string): Promise<T[]> {
  const client = new pg.Client(uri);
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The user as whom it logs in. */
export const whoami = async (uri: string): Promise<string> => {
  const [row] = await queryBy<{ name: string }>(uri, 'SELECT current_user AS name');
  return row?.name ?? '';
};

/** Who a program is that knows nothing but the URI: as whom it logged in, and as whom it works; undefined where it is refused. */
export async function loginBy(uri: string | undefined): Promise<{ readonly login: string; readonly works: string } | undefined> {
  const client = new pg.Client(uri ?? 'postgresql://nobody@127.0.0.1:1/nothing');
  // A session that is ended by the server says so to nobody in particular.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ login: string; works: string }>('SELECT session_user AS login, current_user AS works');
    return rows[0];
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => undefined);
  }
}
