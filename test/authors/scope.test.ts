// Documents of several sources as one: names, scopes, quotas and consent. Without a server.
import { describe, expect, it } from 'vitest';
import { composeSources } from '../../src/document/compose-sources.ts';
import { withConsent } from '../../src/document/consent.ts';
import { readText } from '../../src/document/parse.ts';
import type { Document } from '../../src/model/entries.ts';
import type { Author, Scope } from '../../src/model/fleet.ts';
import { authorOf as declaredAuthor } from '../support/authors.ts';

const OWN = 'postgres/users';

const authorOf = (name: string, may: Partial<Scope>): Author => declaredAuthor(name, may, { from: { namespace: `ns-${name}`, matchLabels: { team: name } } });

interface Said {
  readonly own?: object;
  readonly shop?: object | undefined;
  readonly bill?: object;
  readonly may?: Partial<Scope>;
  readonly recorded?: Readonly<Record<string, string>>;
}

/** What the operator and two authors say, as one document; an author that says nothing is one that cannot be read. */
function composed({ own = {}, shop, bill, may = {}, recorded = {} }: Said): Document {
  const draftOf = (said: object, file: string) => readText(Buffer.from(JSON.stringify({ allowEmpty: true, users: [], ...said })), file);
  const partOf = (author: Author, said: object | undefined) => ({
    author,
    drafts: said === undefined ? [] : [draftOf(said, `${author.from.namespace}/users`)],
    isUnread: said === undefined,
    heldBecause: said === undefined ? 'it could not be read' : undefined,
    gone: new Map(),
  });
  return withConsent(
    composeSources({
      own: { source: OWN, drafts: [draftOf(own, 'users.yaml')] },
      authors: [partOf(authorOf('shop', may), shop), partOf(authorOf('bill', {}), bill)],
      recorded: new Map(Object.entries(recorded)),
      defaultDatabase: 'postgres',
    }),
  );
}

const names = ({ users, roles }: Document): readonly string[] => [...users.map(({ username }) => username), ...roles.map(({ name }) => name)].toSorted();
const said = ({ problems }: Document): readonly string[] => problems.map(({ path, message }) => `${path}: ${message}`);

describe('names', () => {
  it('of an author are those of its scope', () => {
    const document = composed({
      shop: {
        users: [
          { username: 'shop_app', database: 'shop' },
          { username: 'bill_app', database: 'shop' },
        ],
      },
      bill: {},
    });
    expect(names(document)).toEqual(['shop_app']);
    expect([...document.invalid]).toEqual([]);
    expect(said(document)).toEqual(['users[1].username: the name `bill_app` is beyond what this author may; it may declare the names: `shop_*`']);
    expect(document.problems[0]).toMatchObject({ source: 'author:shop', position: { file: 'ns-shop/users' } });
  });

  it('belong to whoever the ledger says', () => {
    const both = { roles: [{ name: 'shop_x' }] };
    const may = { names: ['*'] };
    expect(names(composed({ own: both, shop: both, bill: {}, may, recorded: { shop_x: OWN } }))).toEqual(['shop_x']);
    const theirs = composed({ own: both, shop: both, bill: {}, may, recorded: { shop_x: 'author:shop' } });
    expect(theirs.sources?.claims.get('shop_x')).toBe('author:shop');
    expect(said(theirs)).toEqual([
      'roles[0].name: `shop_x` belongs to the author shop, as the ledger says; it stays so until that one hands it over with `movedTo`',
    ]);
  });

  it('that nobody has and two declare are nobody’s, and both are told', () => {
    const both = { roles: [{ name: 'bill_x' }] };
    const document = composed({ shop: both, bill: both, may: { names: ['*'] } });
    expect(names(document)).toEqual([]);
    expect(said(document)).toEqual([
      'roles[0].name: `bill_x` is declared by the author bill as well, and nobody has it yet: neither gets it until one of them takes its entry out',
      'roles[0].name: `bill_x` is declared by the author shop as well, and nobody has it yet: neither gets it until one of them takes its entry out',
    ]);
  });

  it('go over with movedTo, once the other one declares them', () => {
    const recorded = { shop_x: 'author:shop' };
    const away = { roles: [{ name: 'shop_x', movedTo: 'bill' }] };
    expect(composed({ shop: away, bill: {}, recorded }).sources?.claims.get('shop_x')).toBe('author:shop');
    const outside = composed({ shop: away, bill: { roles: [{ name: 'shop_x' }] }, recorded });
    expect(outside.sources?.claims.get('shop_x')).toBe('author:shop');
    const back = composed({
      shop: { roles: [{ name: 'bill_y' }] },
      bill: { roles: [{ name: 'bill_y', movedTo: 'shop' }] },
      may: { names: ['*'] },
      recorded: { bill_y: 'author:bill' },
    });
    expect(back.sources?.claims.get('bill_y')).toBe('author:shop');
    expect(back.sources?.moves.get('bill_y')).toBe('author:bill');
    expect(names(back)).toEqual(['bill_y']);
  });

  it('that an author may have no longer stay as they are', () => {
    const document = composed({ shop: { roles: [{ name: 'old_x' }] }, bill: {}, recorded: { old_x: 'author:shop' } });
    expect([...document.invalid]).toEqual(['old_x']);
    expect(names(document)).toEqual([]);
  });

  it('of others are not renamed, and nobody’s entry is wrong because of it', () => {
    const document = composed({
      shop: { roles: [{ name: 'shop_y', renamedFrom: 'bill_x' }] },
      bill: { roles: [{ name: 'bill_x' }] },
      recorded: { bill_x: 'author:bill' },
    });
    expect(names(document)).toEqual(['bill_x']);
    expect([...document.invalid]).toEqual([]);
  });
});

describe('what one author gets wrong', () => {
  it('is nobody else’s', () => {
    const same = { username: 'bill_app', database: 'bill' };
    const document = composed({
      own: { users: [{ username: 'op' }] },
      shop: { users: [{ username: 'shop-app', database: 'shop' }, { username: 'shop_app', database: 'shop' }, 1] },
      bill: { users: [same] },
      may: { names: ['shop*'] },
    });
    expect(names(document)).toEqual(['bill_app', 'op']);
  });
});

describe('consent', () => {
  const reader = { roles: [{ name: 'shop_reader', sharedWith: ['bill'] }] };
  const user = { users: [{ username: 'bill_app', database: 'bill', roles: ['shop_reader'] }] };
  const rolesOf = (document: Document) => document.users.flatMap(({ roles }) => roles.map(({ name }) => name));

  it('is there as soon as both sides are, whoever comes first', () => {
    expect(rolesOf(composed({ shop: reader, bill: user }))).toEqual(['shop_reader']);
    const early = composed({ shop: {}, bill: user });
    expect(names(early)).toEqual(['bill_app']);
    expect(rolesOf(early)).toEqual([]);
    expect(said(early)).toEqual([expect.stringContaining('`sharedWith: [bill]`')]);
  });

  it('taken back takes the membership', () => {
    expect(rolesOf(composed({ shop: { roles: [{ name: 'shop_reader' }] }, bill: user, recorded: { shop_reader: 'author:shop' } }))).toEqual([]);
  });

  it('cannot be told where the other one is wrong or could not be read, and then stays as it is', () => {
    for (const shop of [undefined, { roles: [{ name: 'shop_reader', sharedWith: 5 }] }]) {
      const document = composed({ shop, bill: user, recorded: { shop_reader: 'author:shop' } });
      expect(rolesOf(document)).toEqual([]);
      expect([...(document.sources?.tolerated ?? [])]).toEqual(['shop_reader\0bill_app']);
    }
  });

  it('of the operator is a role that is lent, without the right to hand it on', () => {
    const own = { roles: [{ name: 'reporting' }] };
    const userIn = (roles: readonly unknown[]) => ({ users: [{ username: 'shop_app', database: 'shop', roles }] });
    expect(rolesOf(composed({ own, shop: userIn(['reporting']), bill: {}, may: { roles: ['reporting'] } }))).toEqual(['reporting']);
    expect(rolesOf(composed({ own, shop: userIn(['reporting']), bill: {} }))).toEqual([]);
    expect(rolesOf(composed({ own, shop: userIn([{ name: 'reporting', admin: true }]), bill: {}, may: { roles: ['reporting'] } }))).toEqual([]);
  });

  it('makes no loop over two authors, and both entries stand', () => {
    const document = composed({
      shop: { roles: [{ name: 'shop_a', sharedWith: ['bill'], memberOf: ['bill_a'] }] },
      bill: { roles: [{ name: 'bill_a', sharedWith: ['shop'], memberOf: ['shop_a'] }] },
    });
    expect(names(document)).toEqual(['bill_a', 'shop_a']);
    expect(document.roles.map(({ memberOf }) => memberOf)).toEqual([[], []]);
    expect([...document.invalid]).toEqual([]);
  });
});

describe('scope', () => {
  /** Problems of a role or user of an author, beside what makes the rest of the entry right. */
  const about = (entry: object, may: Partial<Scope> = {}): readonly string[] =>
    said(composed({ shop: { users: [{ username: 'shop_app', database: 'shop', ...entry }] }, bill: {}, may }));
  const block = (more: object) => ({ grants: [{ database: 'shop', schemas: ['app'], actions: ['USAGE'], ...more }] });

  it.each<[string, object, Partial<Scope>?]>([
    ['another database', { database: 'bill' }],
    ['the default database', { database: undefined }],
    ['a further database', { databases: ['bill'] }],
    ['a grant in another database', block({ database: 'bill' })],
    ['a grant in every database', block({ database: '*' })],
    ['a grant in a wider pattern', block({ database: 'sho*' })],
    ['a grant in another schema', block({}), { schemas: ['shop_*'] }],
    ['a grant in every schema', block({ schemas: ['*'] }), { schemas: ['shop_*'] }],
    ['a schema of the server', block({ schemas: ['pg_catalog'] })],
    ['CREATE on a database where schemas are bounded', { grants: [{ database: 'shop', databasePrivileges: ['CREATE'] }] }, { schemas: ['shop_*'] }],
    ['a grant option', { grants: [{ database: 'shop', schemas: { app: [{ privilege: 'USAGE', grantable: true }] } }] }],
    ['a parameter', { grants: [{ parameters: { work_mem: ['SET'] } }] }],
    ['a tablespace', { grants: [{ tablespaces: { fast: ['CREATE'] } }] }],
    ['a language', { grants: [{ database: 'shop', languages: { plpgsql: ['USAGE'] } }] }],
    ['a setting', { settings: { search_path: 'x' } }],
    ['a setting in another database', { databaseSettings: { bill: { work_mem: '4MB' } } }, { settings: ['work_mem'] }],
    ['a connection Secret', { connectionSecret: 'shop-app' }],
    ['a connection Secret elsewhere', { connectionSecret: { name: 'shop-app', namespace: 'ns-bill' } }, { connectionSecrets: true }],
    ['a role that stays for good', { deletionPolicy: 'retain' }],
    ['two users in turns', { password: { generate: {} }, connectionSecret: 'x', rotation: { strategy: 'two-users' } }, { connectionSecrets: true }],
    ['a user without a limit where there is one', {}, { connections: 10 }],
    ['more connections than there may be', { connectionLimit: 11 }, { connections: 10 }],
    ['one user too many', {}, { users: 0 }],
  ])('leaves out %s', (_what, entry, may) => {
    expect(about(entry, may).length).toBeGreaterThan(0);
  });

  it.each<[string, object, Partial<Scope>?]>([
    ['its own database', {}],
    ['a grant in its schemas', block({ schemas: ['shop_*'] }), { schemas: ['shop_*'] }],
    ['everything in its database', block({ schemas: ['*'] })],
    ['a setting that it may', { settings: { work_mem: '4MB' } }, { settings: ['work_mem'] }],
    ['a connection Secret where it may', { connectionSecret: 'shop-app' }, { connectionSecrets: true }],
    ['as many connections as it may', { connectionLimit: 10 }, { connections: 10 }],
  ])('has %s', (_what, entry, may) => {
    expect(about(entry, may)).toEqual([]);
  });

  it.each<[string, object]>([
    ['what PUBLIC may do', { databases: [{ name: 'shop', public: 'revoked' }] }],
    ['an extension', { databases: [{ name: 'shop', extensions: ['hstore'] }] }],
    ['a database that is made', { databases: [{ name: 'shop', create: true }] }],
    ['another owner', { databases: [{ name: 'shop', owner: 'bill_a' }] }],
    ['another creator', { databases: [{ name: 'shop', createdBy: ['bill_a'] }] }],
    ['another database', { databases: [{ name: 'bill' }] }],
    ['a guardrail', { guardrails: [{ name: 'x', never: 'SELECT', on: { schema: 'x' }, by: '*' }] }],
  ])('leaves out %s of a document', (_what, document) => {
    const result = composed({ shop: document, bill: { roles: [{ name: 'bill_a' }] } });
    expect(said(result).length).toBeGreaterThan(0);
    expect(result.databases).toEqual([]);
    expect([...result.invalidDatabases]).toEqual([]);
    expect(result.guardrails).toEqual([]);
  });
});
