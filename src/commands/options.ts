// Options that verbs share. None is for a password: others on the machine can read arguments.
import type { VerbOptions } from './verb.ts';

/** Where the server is, and as whom we log in. */
export const SERVER_OPTIONS: VerbOptions = {
  server: { type: 'string', value: 'NAME', summary: 'one of the servers that SERVERS_CONFIGMAP declares, with its login, documents and policy' },
  host: { type: 'string', value: 'HOST', summary: 'the server, in place of DB_HOST' },
  port: { type: 'string', value: 'PORT', summary: 'its port, in place of DB_PORT' },
  user: { type: 'string', value: 'ROLE', summary: 'as whom to log in, in place of DB_USER; its password is in DB_PASS, or in the file DB_PASS_FILE' },
  database: { type: 'string', value: 'NAME', summary: 'the admin database, in place of DB_NAME' },
};

/** Where documents and Secrets are. */
export const SOURCE_OPTIONS = {
  document: { type: 'string', value: 'FILE|DIR', summary: 'a users.yaml or manifests, or a folder of them; otherwise what SOURCE names' },
  secrets: { type: 'string', value: 'DIR', summary: 'a folder of manifests with the Secrets; otherwise what SOURCE names' },
  'without-secrets': { type: 'boolean', summary: 'everything but passwords: no Secret is read, and none is missed' },
} as const satisfies VerbOptions;

/** How a plan is said. */
export const OUTPUT_OPTIONS: VerbOptions = {
  output: { type: 'string', short: 'o', value: 'FORMAT', choices: ['text', 'json', 'markdown', 'sql'], summary: 'how the plan is said' },
  full: { type: 'boolean', summary: 'lists whole, in text and Markdown' },
};

/** A server as it was. */
const snapshotOptions = (summary: string): VerbOptions => ({
  snapshot: { type: 'string', value: 'FILE', summary },
  'snapshot-max-age': {
    type: 'string',
    value: 'DURATION',
    summary: 'refuse an older one, as 12h or 3d; without it one of more than a day is said to be stale',
  },
});

/** Of the verbs that say who may do what on a server. */
export const ACCESS_OPTIONS: VerbOptions = {
  ...SERVER_OPTIONS,
  ...SOURCE_OPTIONS,
  ...snapshotOptions('asks the server as pgsteward snapshot has it; - is standard input. Nothing is connected to'),
  'after-plan': { type: 'boolean', summary: 'asks the server as a plan for the document would leave it' },
  output: { type: 'string', short: 'o', value: 'FORMAT', choices: ['text', 'json'], summary: 'how the answer is said' },
};

export const SNAPSHOT_OPTIONS = snapshotOptions(
  'plan for the server as pgsteward snapshot has it; - is standard input. Nothing is connected to, and no Secret read',
);
