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

export interface KubeSecrets {
  secretAt(name: string): Promise<Secret | undefined>;
  /** What stands in it as text; every password is looked for in all that pgsteward says. */
  valuesOf(name: string): Promise<Record<string, string>>;
  annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void>;
  remove(name: string): Promise<void>;
  names(): Promise<string[]>;
}

export function kubeSecrets(at: KubeCase): KubeSecrets {
  const secretAt = async (name: string): Promise<Secret | undefined> => {
    const { status, json } = await at.kube.api('GET', at.path('secrets', name));
    return status === 200 ? (json as unknown as Secret) : undefined;
  };
  return {
    secretAt,
    valuesOf: async (name) => {
      const secret = await secretAt(name);
      const values = Object.fromEntries(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
      if (values['password'] !== undefined) rememberPassword(values['password']);
      return values;
    },
    annotate: async (name, annotations) => {
      const { status } = await at.kube.api('PATCH', at.path('secrets', name), { metadata: { annotations } });
      if (status !== 200) throw new Error(`the Secret ${name} is not annotated: ${status}`);
    },
    remove: async (name) => void (await at.kube.api('DELETE', at.path('secrets', name))),
    names: async () =>
      ((await at.kube.api('GET', at.path('secrets'))).json['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name).toSorted(),
  };
}

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
