// Rotation with two users, step by step: whatever happens in between, the one that programs are told of can log in.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Catalog } from '../../src/model/catalog.ts';
import type { Document, UserEntry } from '../../src/model/entries.ts';
import type { Role } from '../../src/model/cluster.ts';
import { nextInTurn, usersOutOfTurn, endTurns, withTurns } from '../../src/model/turns.ts';
import { rotationOf } from '../../src/plan/secrets/rotation-plan.ts';
import { GENERATED_AT, LOGIN, MANAGED_BY, PASSWORD_OF, ROTATE_AT, ROTATED_FOR, SOURCE } from '../../src/model/secret-annotations.ts';
import { parseDocument } from '../../src/document/parse.ts';

const OVERLAP = 60_000;
const documentOf = (text: string): Document => parseDocument(Buffer.from(text), 'users.yaml');
const DOCUMENT = documentOf(
  'users: [{username: web, roles: [team], password: {generate: {}}, connectionSecret: db, rotation: {every: 1d, strategy: two-users, overlap: 1m}}]',
);

/** The server, the two Secrets and the time, as far as a rotation cares. */
class World {
  now = Date.parse('2027-01-01T00:00:00Z');
  passwords = 0;
  secret: { login: string; password: number; annotations: Record<string, string> } | undefined;
  connection: { username: string; password: number } | undefined;
  readonly roles = new Map<string, { login: boolean; until: string | null; password: number | null }>();

  /** What a cycle would do next, one step after the other. */
  steps(): (() => void)[] {
    const { secret } = this;
    const roles = new Map([...this.roles].map(([name, role]) => [name, { name, login: role.login, validUntil: role.until } as Role]));
    const catalog = { cluster: { roles }, server: { now: this.now } } as unknown as Catalog;
    const facts = { generated: secret === undefined ? null : secret.login, connected: this.connection?.username };
    const document = endTurns(
      withTurns(DOCUMENT, () => facts),
      catalog,
    );
    const on = document.users.find(({ turn }) => turn?.state === 'on') as UserEntry;
    if (secret === undefined) return [() => this.generate(on.username)];
    const wish = rotationOf({
      user: on,
      document,
      now: this.now,
      source: 'n/c',
      secret: { labels: { [MANAGED_BY]: 'pgsteward' }, annotations: secret.annotations, type: '', data: {}, createdAt: '' },
    });
    const { rotate } = wish;
    if (rotate !== undefined) return [() => this.generate(rotate.as)];
    const server = document.users.flatMap((user): (() => void)[] => {
      const role = this.roles.get(user.username) ?? { login: false, until: null, password: null };
      const until = user.validUntil ?? null;
      const same = this.roles.has(user.username) && role.login === user.login && role.until === until;
      const isStale = user === on && role.password !== secret.password;
      return [
        ...(same ? [] : [() => this.roles.set(user.username, { ...this.role(user.username), login: user.login, until })]),
        ...(isStale ? [() => this.roles.set(user.username, { ...this.role(user.username), password: secret.password })] : []),
        ...(usersOutOfTurn(document).includes(user) && role.password !== null
          ? [() => this.roles.set(user.username, { ...this.role(user.username), password: null })]
          : []),
      ];
    });
    if (server.length > 0) return server;
    const told = this.connection?.username === on.username && this.connection.password === secret.password;
    return told ? [] : [() => (this.connection = { username: on.username, password: secret.password })];
  }

  role(name: string): { login: boolean; until: string | null; password: number | null } {
    return this.roles.get(name) ?? { login: false, until: null, password: null };
  }

  generate(login: string): void {
    this.passwords += 1;
    const asked = this.secret?.annotations[ROTATE_AT];
    this.secret = {
      login,
      password: this.passwords,
      annotations: {
        [PASSWORD_OF]: 'web',
        [SOURCE]: 'n/c',
        [LOGIN]: login,
        [GENERATED_AT]: new Date(this.now).toISOString(),
        ...(asked === undefined ? {} : { [ROTATE_AT]: asked, [ROTATED_FOR]: asked }),
      },
    };
  }

  canLogin({ username, password }: { username: string; password: number }): boolean {
    const role = this.role(username);
    return role.login && role.password === password && (role.until === null || Date.parse(role.until) > this.now);
  }

  /** Cycles until nothing is left to do now. */
  settle(): void {
    for (let rounds = 0; rounds < 20; rounds += 1) {
      const steps = this.steps();
      if (steps.length === 0) return;
      for (const step of steps) step();
    }
    throw new Error('it does not come to rest');
  }
}

const event = fc.oneof(
  fc.record({ kind: fc.constant('cycle' as const), steps: fc.nat(4) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(OVERLAP * 2) }),
  fc.record({ kind: fc.constant('days' as const) }),
  fc.record({ kind: fc.constant('ask' as const), value: fc.string({ minLength: 1 }) }),
  fc.record({ kind: fc.constant('settle' as const) }),
);

describe('with two users', () => {
  it('the login that programs are told of works at every moment, and the one before it for the whole overlap', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const world = new World();
        world.settle();
        /** What programs were told before, and until when it has to work. */
        let former: { username: string; password: number; until: number } | undefined;
        const watched = (step: () => void): void => {
          const told = world.connection;
          step();
          if (told !== undefined && told !== world.connection) former = { ...told, until: world.now + OVERLAP };
          expect(world.connection !== undefined && world.canLogin(world.connection)).toBe(true);
          if (former !== undefined && world.now < former.until) expect(world.canLogin(former)).toBe(true);
        };
        for (const one of events) {
          // A kill leaves the rest of the steps undone.
          if (one.kind === 'cycle') for (const step of world.steps().slice(0, one.steps)) watched(step);
          else if (one.kind === 'wait') watched(() => (world.now += one.ms));
          else if (one.kind === 'days') watched(() => (world.now += 3 * 86_400_000));
          else if (one.kind === 'ask') {
            if (world.secret !== undefined) world.secret.annotations[ROTATE_AT] = one.value;
          } else for (let rounds = 0; rounds < 9; rounds += 1) for (const step of world.steps()) watched(step);
        }
        world.settle();
        world.now += OVERLAP;
        world.settle();
        world.now += OVERLAP;
        world.settle();
        expect([...world.roles.values()].filter(({ login, password }) => login || password !== null)).toHaveLength(1);
      }),
      { numRuns: 500 },
    );
  });

  it('a Secret that was deleted is made for the user that programs are not told of', () => {
    const on = (generated: string | null | undefined, connected: string | undefined): string | undefined =>
      withTurns(DOCUMENT, () => ({ generated, connected })).users.find(({ turn }) => turn?.state === 'on')?.username;
    expect([on(null, undefined), on(null, 'web-1'), on(null, 'web-2'), on(null, 'web')]).toEqual(['web-1', 'web-2', 'web-1', 'web-1']);
    // What cannot be told is left as programs know it; a Secret from before there were two is the user's own.
    expect([on(undefined, 'web-2'), on(undefined, undefined), on('', 'web'), on('stranger', 'web-1')]).toEqual(['web-2', 'web-1', 'web', 'web']);
    expect([nextInTurn('web', undefined), nextInTurn('web', 'web-1'), nextInTurn('web', 'web-2')]).toEqual(['web-1', 'web-2', 'web-1']);
  });

  it('while it cannot be told whose password there is, nobody’s time ends', () => {
    const logins = (generated: string | undefined): (boolean | undefined)[] => {
      const roles = new Map(['web-1', 'web-2'].map((name) => [name, { name, login: true, validUntil: null } as Role]));
      const catalog = { cluster: { roles }, server: { now: 0 } } as unknown as Catalog;
      return endTurns(
        withTurns(DOCUMENT, () => ({ generated, connected: 'web-1' })),
        catalog,
      ).users.map(({ username, validUntil }) => username === 'web-2' && validUntil !== null);
    };
    expect(logins('web-1')).toEqual([false, false, true]);
    expect(logins(undefined)).toEqual([false, false, false]);
  });

  it('an end that the document sets holds for whoever may still log in, and one that an overlap set not for whose turn it is', () => {
    const document = documentOf(
      'users: [{username: web, validUntil: 2027-01-01, password: {generate: {}}, connectionSecret: db, rotation: {strategy: two-users}}]',
    );
    const ends = (of: Document, until: string | null): (string | null | undefined)[] => {
      const roles = new Map(['web', 'web-1'].map((name) => [name, { name, login: name === 'web-1', validUntil: until } as Role]));
      const catalog = { cluster: { roles }, server: { now: 0 } } as unknown as Catalog;
      return endTurns(
        withTurns(of, () => ({ generated: 'web-2', connected: 'web-1' })),
        catalog,
      ).users.map(({ validUntil }) => validUntil);
    };
    const declared = '2027-01-01T00:00:00.000Z';
    expect(ends(document, null)).toEqual([null, declared, declared]);
    expect(ends(document, '2026-01-01T00:00:00.000Z')).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', declared]);
    expect(ends(DOCUMENT, null)).toEqual([null, null, null]);
  });

  it('nobody’s turn comes again before the login of the last time is gone', () => {
    const now = Date.parse('2027-06-01T00:00:00Z');
    const wish = (login: boolean): unknown => {
      const roles = new Map([
        ['web-1', { name: 'web-1', login: true, validUntil: null } as Role],
        ['web-2', { name: 'web-2', login, validUntil: '2027-01-01T00:00:00.000Z' } as Role],
      ]);
      const catalog = { cluster: { roles }, server: { now } } as unknown as Catalog;
      const document = endTurns(
        withTurns(DOCUMENT, () => ({ generated: 'web-1', connected: 'web-1' })),
        catalog,
      );
      const user = document.users.find(({ turn }) => turn?.state === 'on') as UserEntry;
      const annotations = { [PASSWORD_OF]: 'web', [SOURCE]: 'n/c', [GENERATED_AT]: '2027-01-01T00:00:00Z' };
      return rotationOf({
        user,
        document,
        now,
        source: 'n/c',
        secret: { labels: { [MANAGED_BY]: 'pgsteward' }, annotations, type: '', data: {}, createdAt: '' },
      });
    };
    expect(wish(false)).toMatchObject({ rotate: { as: 'web-2', reason: 'schedule' } });
    expect(wish(true)).toMatchObject({ waits: 'web-2 still has the login of before' });
    expect(wish(true)).not.toHaveProperty('rotate');
  });

  it('the two have what the server asks of a login, and the user keeps the privileges', () => {
    const { users } = withTurns(
      documentOf(
        'users: [{username: web, roles: [team], connectionLimit: 3, settings: {work_mem: 4MB}, privileges: {t: [SELECT]}, password: {generate: {}}, connectionSecret: db, rotation: {strategy: two-users}}]',
      ),
      () => ({ generated: 'web-2', connected: 'web-2' }),
    );
    expect(
      users.map(({ username, roles, assumeRole, rules, login }) => [username, roles.map(({ name }) => name), assumeRole, rules !== undefined, login]),
    ).toEqual([
      ['web', ['team'], undefined, true, false],
      ['web-1', ['web'], 'web', false, false],
      ['web-2', ['web'], 'web', false, true],
    ]);
    expect(users.map(({ connectionSecret, connectionLimit }) => [connectionSecret?.name, connectionLimit])).toEqual([
      [undefined, 3],
      [undefined, 3],
      ['db', 3],
    ]);
  });
});

describe('what a document says', () => {
  it.each([
    ['{every: 30d}', 'password: none', 'needs `password: {generate: {}}`'],
    ['{every: 30d}', 'comment: x', 'needs `password: {generate: {}}`'],
    ['{strategy: two-users}', 'password: {generate: {}}', 'needs a `connectionSecret`'],
    ['{strategy: in-place, overlap: 5m}', 'password: {generate: {}}', '`strategy: two-users`'],
    ['{strategy: two-user}', 'password: {generate: {}}, connectionSecret: db', 'did you mean `two-users`?'],
    ['{every: monthly}', 'password: {generate: {}}', '`monthly` is no duration; write it as `30d`'],
    ['{every: 30}', 'password: {generate: {}}', 'must be a duration'],
    ['{every: 30m, strategy: two-users}', 'password: {generate: {}}, connectionSecret: db', 'must be longer than `overlap`'],
    ['{evry: 30d}', 'password: {generate: {}}', 'did you mean `every`?'],
    ['30d', 'password: {generate: {}}', 'write for example `{every: 30d}`'],
  ])('rotation: %s with %s is told', (rotation, rest, message) => {
    const { problems, users } = documentOf(`users: [{username: web, ${rest}, rotation: ${rotation}}]`);
    expect(users).toEqual([]);
    expect(problems.map((problem) => problem.message).join('\n')).toContain(message);
  });

  it('names that the two users would take may not be those of others, nor too long', () => {
    const web = (username: string): string => `{username: ${username}, password: {generate: {}}, connectionSecret: db, rotation: {strategy: two-users}}`;
    expect(documentOf(`users: [${web('web')}, {username: web-2}]`).problems.map(({ message }) => message)).toEqual([
      'makes a user `web-2`, and the document has an entry of that name; rename one of them',
    ]);
    expect(documentOf(`roles: [{name: web-1}]\nusers: [${web('web')}]`).problems).toHaveLength(1);
    expect(documentOf(`users: [${web('w'.repeat(62))}]`).problems).toHaveLength(1);
    expect(documentOf(`users: [${web('w'.repeat(50))}]`).problems).toEqual([]);
  });
});
