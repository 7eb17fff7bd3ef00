// The Secrets of a case on a real API server, and programs that log in with what stands in them.
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

/** Looks at Secrets as a cluster admin, in the case's namespace where none is named. */
export function kubeSecrets(at: KubeCase) {
  const pathOf = (name: string, namespace = at.namespace): string => `/api/v1/namespaces/${namespace}/secrets${name === '' ? '' : `/${name}`}`;
  const secretAt = async (name: string, namespace = at.namespace): Promise<Secret | undefined> => {
    const { status, json } = await at.kube.api('GET', pathOf(name, namespace));
    return status === 200 ? (json as unknown as Secret) : undefined;
  };
  /** What stands in it as text; every password is looked for in all that pgsteward says. */
  const valuesOf = async (name: string, namespace = at.namespace): Promise<Record<string, string>> => {
    const secret = await secretAt(name, namespace);
    const values = Object.fromEntries(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
    if (values['password'] !== undefined) rememberPassword(values['password']);
    return values;
  };
  const secretNames = async (namespace = at.namespace): Promise<string[]> =>
    ((await at.kube.api('GET', pathOf('', namespace))).json['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name).toSorted();
  return { pathOf, secretAt, valuesOf, secretNames };
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
