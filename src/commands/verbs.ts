// The verbs of the program. What each one needs is loaded when it is asked for.
import type { Verb } from './verb.ts';

export const RUN: Verb = {
  name: 'run',
  summary: 'the daemon; no verb at all means the same',
  options: {},
  details: ['Its settings are variables of the environment, see docs/reference.md; DRY_RUN=true writes nothing anywhere.'],
  example: 'DRY_RUN=true SOURCE=dir:manifests/example DB_HOST=localhost pgsteward run',
  run: async (_given, self) => (await import('./daemon.ts')).daemon(self),
};

const VALIDATE: Verb = {
  name: 'validate',
  summary: 'everything that can be said of documents without a server',
  operands: 'FILE…',
  options: { output: { type: 'string', short: 'o', value: 'FORMAT', choices: ['text', 'json', 'github'], summary: 'how the problems are said' } },
  details: [
    'A FILE is a users.yaml, or manifests in YAML or JSON with a ConfigMap that has the key users.yaml; - is standard input.',
    'Several are read as one document. Exit code 0: no errors, though there may be warnings; 1: an error, or a file that cannot be read.',
  ],
  example: 'pgsteward validate manifests/example/users.yaml',
  run: async (given, self) => (await import('./validate.ts')).validate(given, self),
};

const SCHEMA: Verb = {
  name: 'schema',
  summary: 'a JSON Schema of users.yaml, for editors and CI',
  options: {},
  details: ['It knows keys, types and words; pgsteward validate knows everything that can be said without a server.'],
  example: 'pgsteward schema > users.schema.json',
  run: async (_given, self) => (await import('./schema.ts')).schema(self),
};

export const VERBS: readonly Verb[] = [RUN, VALIDATE, SCHEMA];
