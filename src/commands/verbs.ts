// The verbs of the program. What each one needs is loaded when it is asked for.
import { ACCESS_OPTIONS, OUTPUT_OPTIONS, SERVER_OPTIONS, SNAPSHOT_OPTIONS, SOURCE_OPTIONS } from './options.ts';
import type { Verb } from './verb.ts';

export const RUN: Verb = {
  name: 'run',
  summary: 'the daemon; no verb at all means the same',
  options: {},
  details: ['Its settings are variables of the environment, see docs/reference.md; DRY_RUN=true writes nothing anywhere.'],
  example: 'DRY_RUN=true SOURCE=dir:manifests/example DB_HOST=localhost pgsteward run',
  run: async (_given, self) => (await import('./daemon.ts')).daemon(self),
};

const SNAPSHOT: Verb = {
  name: 'snapshot',
  summary: 'everything that a plan needs of the server, in one file',
  operands: '[FILE]',
  options: SERVER_OPTIONS,
  details: [
    'Without FILE it goes to standard output. It holds names, privileges and what is ours, and no password, no verifier and no salt of one.',
    'Then pgsteward plan --snapshot FILE says what a document would change, with no access to any database. Its settings are those of the daemon.',
  ],
  example: 'pgsteward snapshot --host localhost server.json',
  run: async (given, self) => (await import('./snapshot.ts')).snapshot(given, self),
};

const VALIDATE: Verb = {
  name: 'validate',
  summary: 'everything that can be said of documents without a server',
  operands: 'FILE…',
  options: { output: { type: 'string', short: 'o', value: 'FORMAT', choices: ['text', 'json', 'github'], summary: 'how the problems are said' } },
  details: [
    'A FILE is a users.yaml, a servers.yaml, or manifests in YAML or JSON with ConfigMaps that have these keys; - is standard input.',
    'Several documents are read as one; with a servers.yaml, those of each server are. Exit code 0: no errors, though there may be warnings; 1: an error, or a file that cannot be read.',
  ],
  example: 'pgsteward validate manifests/example/users.yaml',
  run: async (given, self) => (await import('./validate.ts')).validate(given, self),
};

const SCHEMA: Verb = {
  name: 'schema',
  summary: 'a JSON Schema of users.yaml or servers.yaml, for editors and CI',
  operands: '[NAME]',
  words: ['users.yaml', 'servers.yaml'],
  options: {},
  details: [
    'A NAME is users.yaml, which it also is where it is left out, or servers.yaml.',
    'It knows keys, types and words; pgsteward validate knows everything that can be said without a server.',
  ],
  example: 'pgsteward schema > users.schema.json',
  run: async (given, self) => (await import('./schema.ts')).schema(given, self),
};

const PLAN: Verb = {
  name: 'plan',
  summary: 'what would be done on the server, and nothing of it',
  options: {
    ...SERVER_OPTIONS,
    ...SOURCE_OPTIONS,
    ...SNAPSHOT_OPTIONS,
    ...OUTPUT_OPTIONS,
    out: { type: 'string', value: 'FILE', summary: 'saves the plan as well, for show and apply' },
  },
  details: [
    'It reads the server once, writes nothing anywhere, and works beside a running daemon. Its settings are those of the daemon.',
    'Exit code 0: the server is as declared; 2: it differs; 3: something is refused; 1: not everything could be looked at or planned.',
  ],
  example: 'pgsteward plan --host localhost --document manifests/example/users.yaml --without-secrets',
  run: async (given, self) => (await import('./plan.ts')).plan(given, self),
};

const IMPORT: Verb = {
  name: 'import',
  summary: 'the users.yaml of a server as it is, for its adoption',
  options: {
    ...SERVER_OPTIONS,
    roles: { type: 'string', value: 'PATTERN,…', summary: 'only roles whose names match; * stands for any characters' },
    databases: { type: 'string', value: 'PATTERN,…', summary: 'only what is in databases whose names match' },
    'adopt-plan': { type: 'boolean', summary: 'says how to take the server over, step by step' },
  },
  details: [
    'The document is printed on standard output, and what is to be said about it on standard error; nothing is written anywhere.',
    'Exit code 0: a plan for the document is empty; 2: something is left or could not be read, which is said; 1: an error. Its settings are those of the daemon.',
  ],
  example: 'pgsteward import --host localhost > users.yaml',
  run: async (given, self) => (await import('./import.ts')).importVerb(given, self),
};

const OBJECT_DETAILS = [
  'An OBJECT is shop.public.payroll (database, schema and name), with its kind before it where it is no table, view or sequence: database shop, schema shop.public,',
  "'function shop.public.f(int)', column shop.public.payroll.salary, type, language, foreign server, foreign data wrapper, large object, tablespace, parameter.",
  'Names are as in SQL: in small letters, or exact in double quotes. Nothing is written on the server.',
];

const EXPLAIN: Verb = {
  name: 'explain',
  summary: 'whether a role has a privilege on an object, and why',
  operands: 'ROLE PRIVILEGE OBJECT',
  options: ACCESS_OPTIONS,
  details: [...OBJECT_DETAILS, 'Exit code 0: yes, as has_table_privilege and its like answer; 2: no, or only after SET ROLE, or unknown; 1: an error.'],
  example: 'pgsteward explain alice SELECT shop.public.payroll',
  run: async (given, self) => (await import('./explain.ts')).explain(given, self),
};

const SHOW: Verb = {
  name: 'show',
  summary: 'a saved plan, also when it is stale',
  operands: 'FILE',
  options: OUTPUT_OPTIONS,
  details: ['A FILE is what pgsteward plan --out has saved. Nothing else is read.', 'The exit code is that of the plan.'],
  example: 'pgsteward show the.plan -o markdown',
  run: async (given, self) => (await import('./show.ts')).show(given, self),
};

const APPLY: Verb = {
  name: 'apply',
  summary: 'one cycle as the daemon would do it, or just what a saved plan says',
  operands: '[FILE]',
  options: {
    ...SERVER_OPTIONS,
    document: SOURCE_OPTIONS.document,
    secrets: SOURCE_OPTIONS.secrets,
    output: { type: 'string', short: 'o', value: 'FORMAT', choices: ['text', 'json'], summary: 'how the outcomes are said' },
  },
  details: [
    'It writes as the daemon does: as the only writer, with ledger and audit log. A FILE is what pgsteward plan --out has saved: where server, databases,',
    'document or ledger are others than then, or something else would be done, nothing is. Exit code 0: applied, and as declared; 1: an error; 2: it still',
    'differs; 3: refused.',
  ],
  example: 'pgsteward apply the.plan --host localhost --document manifests/example/users.yaml --secrets manifests/example',
  run: async (given, self) => (await import('./apply.ts')).apply(given, self),
};

const WHO_CAN: Verb = {
  name: 'who-can',
  summary: 'everybody who has a privilege on an object, and by which path',
  operands: 'PRIVILEGE OBJECT',
  options: { ...ACCESS_OPTIONS, 'via-definer': { type: 'boolean', summary: 'also through views and SECURITY DEFINER functions' } },
  details: [
    ...OBJECT_DETAILS,
    'With --after-plan those are marked who could not before, and those are told who can no longer.',
    'Where SERVERS_CONFIGMAP declares servers, all of them are asked, or with --server one.',
    'Exit code 0: all of it is said; 2: with --via-definer, something cannot be known, which is said; 1: an error.',
  ],
  example: 'pgsteward who-can SELECT shop.public.payroll --via-definer',
  run: async (given, self) => (await import('./who-can.ts')).whoCan(given, self),
};

const WHAT_CAN: Verb = {
  name: 'what-can',
  summary: 'everything that a role may, and by which path',
  operands: 'ROLE',
  options: { ...ACCESS_OPTIONS, in: { type: 'string', value: 'DATABASE', summary: 'only in this database, by its exact name' } },
  details: [
    "In every database that takes connections; the server's own schemas are left out. Nothing is written on the server.",
    'Exit code 0: all of it is said; 2: a database could not be read, which is said; 1: an error.',
  ],
  example: 'pgsteward what-can alice --in shop',
  run: async (given, self) => (await import('./what-can.ts')).whatCan(given, self),
};

const HISTORY: Verb = {
  name: 'history',
  summary: 'what was done and which documents were in force, and whether that is as it was written',
  options: {
    ...SERVER_OPTIONS,
    role: { type: 'string', value: 'ROLE', summary: 'only rows about this role, by its exact name' },
    object: { type: 'string', value: 'TEXT', summary: 'only rows whose object has this in it' },
    since: { type: 'string', value: 'WHEN', summary: 'only rows since a moment, as 2027-01-31, or since so long ago, as 7d' },
    revision: { type: 'string', value: 'N', summary: 'only rows of this revision; with -o yaml its documents' },
    revisions: { type: 'boolean', summary: 'the revisions that are kept: when, from where, and by whom' },
    verify: { type: 'boolean', summary: 'goes through the chain over the audit log, and says what is not as it was written' },
    head: { type: 'string', value: 'HEAD', summary: 'with --verify, what auditHead of the status ConfigMap said; otherwise it is read there' },
    output: {
      type: 'string',
      short: 'o',
      value: 'FORMAT',
      choices: ['text', 'json', 'csv', 'ocsf', 'yaml'],
      summary: 'how it is said; ocsf is an event a line',
    },
  },
  details: [
    'It is read from the ledger in the admin database, and nothing is written. No password and no verifier is in any of it.',
    'Exit code 0: all of it is said; 2: with --verify, something was changed, removed or put in; 1: an error.',
  ],
  example: 'pgsteward history --role alice --since 30d',
  run: async (given, self) => (await import('./history.ts')).history(given, self),
};

const DIFF: Verb = {
  name: 'diff',
  summary: 'which entries differ between the documents of two revisions',
  operands: 'REVISION REVISION',
  options: {
    ...SERVER_OPTIONS,
    output: { type: 'string', short: 'o', value: 'FORMAT', choices: ['text', 'json'], summary: 'how it is said' },
  },
  details: ['pgsteward history --revisions lists them. Nothing is written. Exit code 0: no entry differs; 2: some do; 1: an error.'],
  example: 'pgsteward diff 3 5',
  run: async (given, self) => (await import('./diff.ts')).diff(given, self),
};

const CONVERT: Verb = {
  name: 'convert',
  summary: 'the users.yaml for what another tool declares',
  operands: 'FILE…',
  options: {
    from: {
      type: 'string',
      value: 'TOOL',
      choices: ['cloudnativepg', 'ldap2pg', 'movetokube', 'pgbedrock', 'pgroles', 'provider-sql', 'terraform', 'zalando'],
      summary: 'whose files they are',
    },
    database: { type: 'string', value: 'NAME', summary: 'the database that files of pgroles and pgbedrock are about' },
  },
  details: [
    'A FILE is in YAML or JSON; - is standard input. For terraform it is what terraform show -json prints, for operators their manifests.',
    'What cannot be said goes to standard error. No password is ever copied. Exit code 0: all of it was said; 2: something was not; 1: an error.',
  ],
  example: 'pgsteward convert --from cloudnativepg cluster.yaml > users.yaml',
  run: async (given, self) => (await import('./convert.ts')).convert(given, self),
};

const ROLLBACK: Verb = {
  name: 'rollback',
  summary: 'the document of an earlier revision, the plan for it from now, and what cannot come back',
  operands: 'REVISION',
  options: { ...SERVER_OPTIONS, secrets: SOURCE_OPTIONS.secrets, 'without-secrets': SOURCE_OPTIONS['without-secrets'] },
  details: [
    'Nothing is written: put the document where documents are kept, and the daemon does the rest. The exit code is that of the plan.',
    'Documents of several sources are not planned together; pgsteward history --revision N -o yaml prints them.',
  ],
  example: 'pgsteward rollback 3 --without-secrets',
  run: async (given, self) => (await import('./rollback.ts')).rollback(given, self),
};

const DISCOVER: Verb = {
  name: 'discover',
  summary: 'entries of servers.yaml for what Secrets lead to',
  options: {},
  details: [
    'Secrets of CloudNativePG, Zalando, Crunchy, of Service Bindings and basic-auth that it may see in NAMESPACE, or in the folder of SOURCE. Nothing is connected to.',
    'Look at it, and commit what is meant: nothing is kept that nobody declared. Exit code 0: there are some; 2: there are none; 1: an error.',
  ],
  example: 'SOURCE=dir:manifests/example pgsteward discover',
  run: async (given, self) => (await import('./discover.ts')).discover(given, self),
};

const STATUS: Verb = {
  name: 'status',
  summary: 'what the running daemon says',
  options: {
    server: { type: 'string', value: 'NAME', summary: 'one of several servers, with all that is known of it' },
    url: { type: 'string', value: 'URL', summary: 'where the daemon is, as http://localhost:8080; otherwise at HTTP_HOST and HTTP_PORT' },
    output: { type: 'string', short: 'o', value: 'FORMAT', choices: ['text', 'json'], summary: 'how it is said; json is the answer of /status' },
  },
  details: ['Exit code 0: the server is as declared; 2: it differs, or the daemon is not that far; 1: the daemon cannot be asked, or it tells of errors.'],
  example: 'pgsteward status --url http://localhost:8080',
  run: async (given, self) => (await import('./status.ts')).status(given, self),
};

const COMPLETION: Verb = {
  name: 'completion',
  summary: 'a script that completes verbs and options in a shell',
  operands: 'SHELL',
  words: ['bash', 'zsh'],
  options: {},
  details: [
    'A SHELL is bash or zsh. The script is read by the shell itself: source <(pgsteward completion bash), for example in ~/.bashrc; zsh also takes it as a file _pgsteward in a folder of fpath.',
  ],
  example: 'pgsteward completion bash',
  run: async (given, self) => (await import('./completion.ts')).completion(given, self, VERBS),
};

export const VERBS: readonly Verb[] = [
  RUN,
  VALIDATE,
  SCHEMA,
  SNAPSHOT,
  PLAN,
  SHOW,
  APPLY,
  IMPORT,
  EXPLAIN,
  WHO_CAN,
  WHAT_CAN,
  HISTORY,
  DIFF,
  CONVERT,
  ROLLBACK,
  DISCOVER,
  STATUS,
  COMPLETION,
];
