// The shape of a users document as JSON Schema, for editors and CI: made of the tables of keys that the reader has.
import { KINDS, OBJECT_KINDS, type ObjectKind } from '../model/kinds.ts';
import { LONGEST_PASSWORD } from '../model/generate.ts';
import { LIMITS } from '../model/limits.ts';
import { ALPHABETS, STRATEGIES } from '../model/entries.ts';
import { BLOCK_KEYS, LISTED } from './block.ts';
import { CONNECTION_SECRET_KEYS, URI_KEYS } from './connection-secret.ts';
import { DATABASE_KEYS, EXTENSION_KEYS, SCHEMA_KEYS } from './database-entries.ts';
import { MODES, POLICIES } from './entry-schema.ts';
import { ENTRY, MEMBERSHIP_KEYS, SECRET_REF, TOP_LEVEL } from './keys.ts';
import { BY_WORDS, GUARDED_KEYS, GUARDED_KINDS, GUARDRAIL_KEYS } from './guardrails.ts';
import { GUARD_WAYS } from '../model/guardrails.ts';
import { GENERATE_KEYS } from './password-spec.ts';
import { PRESETS } from './presets.ts';
import { ROLE_KEYS } from './roles.ts';
import { ROTATION_KEYS } from './rotation.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

const text: JsonSchema = { type: 'string' };
const flag: JsonSchema = { type: 'boolean' };
/** The server takes 63 bytes. */
const name: JsonSchema = { type: 'string', minLength: 1, maxLength: 63 };
const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
const oneOrMore = (item: JsonSchema): JsonSchema => ({ anyOf: [item, listOf(item)] });
const mapOf = (values: JsonSchema, more: JsonSchema = {}): JsonSchema => ({ type: 'object', additionalProperties: values, ...more });
const words = (known: readonly string[]): JsonSchema => ({ enum: known });
const ref = (definition: string): JsonSchema => ({ $ref: `#/definitions/${definition}` });
const said = (description: string, schema: JsonSchema): JsonSchema => ({ description, ...schema });

/** A mapping with exactly these keys, each with its schema. */
const keyed = <K extends string>(keys: readonly K[], schemas: Readonly<Record<K, JsonSchema>>, required: readonly K[] = []): JsonSchema => ({
  type: 'object',
  properties: Object.fromEntries(keys.map((key) => [key, schemas[key]])),
  required,
  additionalProperties: false,
});

/** A name, or a mapping that has it. */
const nameOr = (mapping: JsonSchema): JsonSchema => ({ anyOf: [name, mapping] });

/** The server takes a privilege in any case of letters; what is offered are capitals. */
function privilegesOf(kinds: readonly ObjectKind[]): JsonSchema {
  const known = [...new Set(kinds.flatMap((kind) => Object.keys(KINDS[kind].privileges))), 'ALL'];
  const others = [...known, 'ALL PRIVILEGES', ...(known.includes('TEMPORARY') ? ['TEMP'] : [])].map(anyCase).join('|');
  const privilege = { anyOf: [words(known), { type: 'string', pattern: `^\\s*(?:${others})\\s*$` }] };
  return oneOrMore({ anyOf: [privilege, keyed(['privilege', 'grantable'], { privilege, grantable: flag }, ['privilege'])] });
}

const anyCase = (word: string): string => [...word].map((letter) => (letter === ' ' ? '\\s+' : `[${letter}${letter.toLowerCase()}]`)).join('');

const privileges = (kind: ObjectKind): JsonSchema => ref(`privileges-${kind}`);

/** `{pattern: [privileges]}`, or patterns that share the block's `actions`. A large object is a number. */
const targets = (kind: ObjectKind): JsonSchema => ({
  anyOf: [mapOf(privileges(kind)), oneOrMore(kind === 'large_object' ? { type: ['string', 'integer'] } : text)],
});

function block(without: readonly string[] = [], more: Readonly<Record<string, JsonSchema>> = {}): JsonSchema {
  const schemas: Record<string, JsonSchema> = {
    ...more,
    database: said('The database that the block is about; DB_NAME, or that of the user, where it is left out.', oneOrMore(text)),
    databases: said('The databases that the block is about, or patterns of them.', oneOrMore(text)),
    schemas: said('Schemas, or patterns of them; as a mapping with the privileges on them.', targets('schema')),
    databasePrivileges: said('Privileges on the databases.', privileges('database')),
    columns: said('{table: {column: [privileges]}}', mapOf(mapOf(privileges('column')))),
    actions: said('Privileges for what the block lists: objects, else its schemas, else its database.', ref('privileges')),
    preset: said('Privileges on the schemas and on everything in them.', words(Object.keys(PRESETS))),
    ...Object.fromEntries(LISTED.map((kind) => [KINDS[kind].key, said('{pattern: [privileges]}, or a list of patterns with `actions`.', targets(kind))])),
  };
  return keyed(
    [...Object.keys(more), ...BLOCK_KEYS].filter((key) => !without.includes(key)),
    schemas,
  );
}

const membership = nameOr(
  keyed(
    MEMBERSHIP_KEYS,
    {
      name,
      admin: said('Whether the member may hand the role on; false where it is left out.', flag),
      inherit: said('Whether the member has the role’s privileges without SET ROLE; true where it is left out.', flag),
      set: said('Whether the member may SET ROLE to it; true where it is left out.', flag),
    },
    ['name'],
  ),
);

const renamedFrom = said('What the role was called: one that still is gets the new name, and keeps what it owns, holds and belongs to.', name);

const composition = {
  grants: said('What it may do: blocks of grants.', listOf(ref('block'))),
  permissions: said('Names of permissions that it has.', listOf(text)),
  grantsMode: said('authoritative: what it holds beyond its grants is revoked; additive: nothing is.', words(MODES)),
  comment: said('A comment on the role; null for none.', { type: ['string', 'null'], maxLength: LIMITS.comment }),
  deletionPolicy: said('What becomes of the role when nothing names it any longer.', words(POLICIES)),
};

const scalar: JsonSchema = { type: ['string', 'number', 'boolean'] };
const settings = mapOf(oneOrMore(scalar));

const connectionSecret: JsonSchema = {
  anyOf: [
    text,
    keyed(
      CONNECTION_SECRET_KEYS,
      {
        name: said('The Secret’s name.', text),
        namespace: said('Where it is; the namespace of the document where it is left out.', text),
        database: said('The database that it leads to; the user’s own where it is left out.', name),
        template: said('Further keys, as texts with {{ key }}.', mapOf(text)),
        labels: mapOf(text),
        annotations: mapOf(text),
        uris: said('Other ways to the server.', mapOf(keyed(URI_KEYS, { host: text, port: { type: 'integer', minimum: 1, maximum: 65_535 } }, ['host']))),
      },
      ['name'],
    ),
  ],
};

const password: JsonSchema = {
  anyOf: [
    words(['none']),
    keyed(['generate'], { generate: keyed(GENERATE_KEYS, { length: { type: 'integer', maximum: LONGEST_PASSWORD }, alphabet: words(ALPHABETS) }) }, [
      'generate',
    ]),
  ],
};

const author: JsonSchema = { type: 'string', pattern: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$' };
const movedTo = said('The author that the role goes to, as soon as that one declares it.', author);

const user = keyed(
  ENTRY,
  {
    username: said('The role’s name.', name),
    renamedFrom,
    database: said('The database that the user may connect to; DB_NAME where it is left out.', name),
    databases: said('Further databases that it may connect to.', listOf(name)),
    roles: said('Roles that it is a member of; other memberships are revoked.', { anyOf: [listOf(ref('membership')), { type: 'null' }] }),
    assumeRole: said('The role that its sessions work as from login on.', name),
    privileges: said('The old form: {table: [SELECT]} in the user’s database.', { anyOf: [mapOf(privileges('table')), { type: 'null' }] }),
    ...composition,
    password: said('Where the password comes from, if not from a Secret that somebody else makes.', password),
    passwordSecretRef: said('The Secret that holds the password.', keyed(SECRET_REF, { name: text, key: text }, ['name'])),
    connectionSecret: said('The Secret that tells programs how to connect.', connectionSecret),
    rotation: said('When a generated password is replaced.', keyed(ROTATION_KEYS, { every: text, strategy: words(STRATEGIES), overlap: text })),
    connectionLimit: said('-1 is no limit.', { type: 'integer', minimum: -1, maximum: 2_147_483_647 }),
    validUntil: said('2027-01-31, 2027-01-31T12:00:00Z or infinity.', text),
    settings: said('Parameters of its sessions.', settings),
    databaseSettings: said('Parameters of its sessions in one database.', mapOf(settings)),
    login: said('false: it cannot log in.', flag),
    movedTo,
    drain: said('What becomes of its sessions when it may not log in any longer: terminate, keep, or a duration as 5m.', text),
  },
  ['username'],
);

const role = keyed(
  ROLE_KEYS,
  {
    name,
    renamedFrom,
    ...composition,
    memberOf: said('Roles that it is a member of; left alone where it is left out.', listOf(ref('membership'))),
    sharedWith: said('Authors whose users and roles may become its members.', listOf(author)),
    movedTo,
  },
  ['name'],
);

const database = keyed(
  DATABASE_KEYS,
  {
    name,
    owner: said('Its owner, who is created without login if nobody has the name.', name),
    create: said('Whether it is created when it is missing.', flag),
    public: said('What PUBLIC may do: revoked, or blocks of grants without a database.', {
      anyOf: [words(['revoked']), block(['database', 'databases']), { ...listOf(block(['database', 'databases'])), minItems: 1 }],
    }),
    schemas: said('Schemas that are created when they are missing.', listOf(nameOr(keyed(SCHEMA_KEYS, { name, owner: name }, ['name'])))),
    extensions: said('Extensions that are created when they are missing.', listOf(nameOr(keyed(EXTENSION_KEYS, { name, schema: name }, ['name'])))),
    createdBy: said('Further roles that create objects here.', listOf(name)),
  },
  ['name'],
);

const namesOf = (what: string): JsonSchema => said(what, { anyOf: [text, { ...listOf(text), minItems: 1 }] });

const guardrail = keyed(
  GUARDRAIL_KEYS,
  {
    name: said('What it is called in messages and metrics.', { type: 'string', pattern: '^[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$' }),
    never: namesOf('The privileges that they must never have.'),
    on: said(
      'On what: objects, else the schemas, else the database.',
      keyed(GUARDED_KEYS, {
        database: namesOf('The database, or patterns; DB_NAME where it is left out.'),
        schema: namesOf('Schemas, or patterns of them.'),
        columns: said('{table: [column]}', mapOf(namesOf('Columns, or patterns of them.'))),
        ...Object.fromEntries(
          GUARDED_KINDS.map((kind) => [
            KINDS[kind].key,
            kind === 'large_object' ? oneOrMore({ type: ['string', 'integer'] }) : namesOf('Names, or patterns of them.'),
          ]),
        ),
      }),
    ),
    by: said('Who: `*` every login, `roles` every role, `new` logins that have none of it yet, PUBLIC, or names and patterns.', {
      anyOf: [words(BY_WORDS), text, { ...listOf(text), minItems: 1 }],
    }),
    except: namesOf('Roles that may, and through which others may.'),
    through: said(
      'Which ways count beside what is inherited.',
      keyed(GUARD_WAYS, { setRole: flag, ownership: flag, superuser: flag, definer: { enum: [true, false, 'views'] } }),
    ),
  },
  ['name', 'never', 'on', 'by'],
);

/** The same in a document and in the policy of a server. */
export const guardrailsSchema = said('What must never be.', { ...listOf(guardrail), maxItems: LIMITS.guardrails });

const document = keyed(
  TOP_LEVEL,
  {
    guardrails: guardrailsSchema,
    timestamp: said('Ignored.', {}),
    databases: said('What belongs to a database.', listOf(database)),
    permissions: said('Named blocks of grants.', listOf({ ...block([], { name: { type: 'string', minLength: 1 } }), required: ['name'] })),
    roles: said('Roles, and what they may do.', listOf(role)),
    users: said('Users that log in.', listOf(user)),
    allowEmpty: said('true: an empty list of users is meant, and everybody shall go.', flag),
  },
  ['users'],
);

/** JSON Schema, draft 7, of a users document. What it refuses the reader refuses; the reader also knows what no schema can say. */
export const jsonSchema = (): JsonSchema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'pgsteward users.yaml',
  ...document,
  if: { properties: { allowEmpty: { const: true } }, required: ['allowEmpty'] },
  else: { properties: { users: { type: 'array', minItems: 1 } } },
  definitions: {
    membership,
    block: block(),
    privileges: privilegesOf(OBJECT_KINDS),
    ...Object.fromEntries(OBJECT_KINDS.map((kind) => [`privileges-${kind}`, privilegesOf([kind])])),
  },
});
