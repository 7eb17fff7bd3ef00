// Plans of a part, as values: whatever is changed in the document or by hand, the plan made of a part is the plan of everything.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Catalog, ManagedRole } from '../../src/model/catalog.ts';
import type { ConnectGrant, Membership, Role } from '../../src/model/cluster.ts';
import type { Document } from '../../src/model/entries.ts';
import { atOnce } from '../../src/model/in-parts.ts';
import { desiredOf } from '../../src/plan/desired.ts';
import { lawOf } from '../../src/plan/law/law.ts';
import { narrowed, type Quiet, quietOf, widened } from '../../src/plan/narrow.ts';
import { planOf } from '../../src/plan/plan.ts';
import type { Plan, PlanInput } from '../../src/plan/plan-input.ts';
import { read } from '../document/read.ts';
import { catalogOf, inputOfPlans, policyOfPlans } from '../support/pure-plan.ts';

const member = (role: string, of: string, more: Partial<Membership> = {}): Membership => ({
  role,
  member: of,
  grantor: 'postgres',
  admin: false,
  inherit: true,
  set: true,
  ...more,
});
const plan = (input: PlanInput): Plan => atOnce(planOf(input));

/** The plan of a part, if there is one, as the daemon makes it. */
function partOf(quiet: Quiet | undefined, input: PlanInput): Plan | undefined {
  const part = quiet === undefined ? undefined : narrowed(quiet, input);
  return quiet === undefined || part === undefined ? undefined : widened(quiet, plan(part));
}

it('where our admin gets into a role by way of others, whoever is to be a member of that one is looked at again', () => {
  const document = read(JSON.stringify({ roles: [{ name: 'ours' }], users: [{ username: 'u', login: false, roles: ['theirs'] }] }));
  const base = catalogOf(['ours', 'theirs', 'u', 'adm'], []);
  const managed = new Map([...base.managed].filter(([name]) => name !== 'adm'));
  managed.set('theirs', { ...(managed.get('theirs') as ManagedRole), origin: 'adopted' });
  managed.set('u', { ...(managed.get('u') as ManagedRole), entity: 'user' });
  const catalog: Catalog = {
    ...base,
    managed,
    server: { ...base.server, admin: 'adm', superuser: false, grantor: 'adm' },
    cluster: {
      ...base.cluster,
      memberships: [
        member('theirs', 'u'),
        member('ours', 'adm'),
        ...['ours', 'theirs', 'u'].map((role) => member(role, 'adm', { admin: true, inherit: false, set: false })),
      ],
      grants: [{ object: { kind: 'database', name: 'postgres' }, grantee: 'u', grantor: 'postgres', privilege: 'CONNECT', grantable: false }],
    },
  };
  const inputOf = (of: Catalog): PlanInput => ({ ...inputOfPlans(document, of), law: { ...policyOfPlans.law, adminLogin: 'adm' } });
  const quiet = quietOf(inputOf(catalog), plan(inputOf(catalog)));
  expect(quiet).toBeDefined();
  const changed = inputOf({ ...catalog, cluster: { ...catalog.cluster, memberships: [...catalog.cluster.memberships, member('theirs', 'ours')] } });
  expect(plan(changed).notices.map(({ kind, subject }) => `${kind} ${subject}`)).toContain('unmanaged u');
  expect(partOf(quiet, changed)).toBeUndefined();
});

describe('of one that is only named, and is not to be managed any more, all is planned', () => {
  const frame = read(JSON.stringify({ databases: [{ name: 'postgres', createdBy: ['team'] }], users: [{ username: 'u' }] }));
  const documentOf = (roles: readonly string[]): Document => {
    const { users } = read(
      JSON.stringify({
        users: [
          { username: 'u', login: false, roles },
          { username: 'v', login: false },
        ],
      }),
    );
    return { ...frame, users };
  };
  const base = catalogOf(['team', 'u', 'v'], [['team', 'u']]);
  const connect = (grantee: string): ConnectGrant => ({
    object: { kind: 'database', name: 'postgres' },
    grantee,
    grantor: 'postgres',
    privilege: 'CONNECT',
    grantable: false,
  });
  const catalog: Catalog = {
    ...base,
    managed: new Map([...base.managed].map(([name, one]) => [name, name === 'team' ? one : { ...one, entity: 'user' }])),
    cluster: { ...base.cluster, grants: ['u', 'v'].map(connect) },
  };
  const superuser = { ...(catalog.cluster.roles.get('team') as Role), superuser: true };
  const raised: Catalog = { ...catalog, cluster: { ...catalog.cluster, roles: new Map([...catalog.cluster.roles, ['team', superuser]]) } };
  const inputOf = (document: Document, of: Catalog): PlanInput => ({
    ...inputOfPlans(document, of),
    law: { ...policyOfPlans.law, allowedRoles: new Set(['team']) },
  });
  const named = documentOf(['team']);
  it.each([
    ['nobody is to be a member of it', documentOf([]), catalog],
    ['it is a superuser', named, raised],
  ])('%s', (_, document, of) => {
    const quiet = quietOf(inputOf(named, catalog), plan(inputOf(named, catalog)));
    expect(quiet?.plan.entities.has('team')).toBe(true);
    expect(plan(inputOf(document, of)).entities.has('team')).toBe(false);
    expect(partOf(quiet, inputOf(document, of))).toBeUndefined();
  });
});

const USERS = ['u0', 'u1', 'u2', 'u3', 'u4', 'u5'];
const TEAMS = ['t0', 't1', 't2', 't3'];
const BARE = ['b0', 'b1'];
const DECLARED = [...USERS, ...TEAMS, ...BARE];
const OTHERS = ['by0', 'by1', 'pg_monitor', 'pg_write_server_files', 'rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin'];

const PERMISSIONS = [{ name: 'p', databases: ['shop'], schemas: ['s'], tables: { '*': ['SELECT'] } }];
const MADE = catalogOf([...OTHERS, ...DECLARED, 'adm'], []);
const roleMade = (name: string): Role => ({ ...(MADE.cluster.roles.get(name) ?? (MADE.cluster.roles.get('by0') as Role)), name });

/** One entry read by itself, the very same wherever it says the same. */
const known = new Map<string, Document>();
function entryOf(entry: object): Document {
  const text = JSON.stringify({ permissions: PERMISSIONS, ...('username' in entry ? { users: [entry] } : { roles: [entry], users: [{ username: 'zz' }] }) });
  const document = known.get(text) ?? read(text);
  known.set(text, document);
  return document;
}

/** Numbers below a bound, which fast-check chooses. */
type Any = (below: number) => number;

class World {
  readonly #any: Any;
  #users = new Map<string, object>();
  #roles = new Map<string, object>();
  readonly #databases: readonly object[];
  readonly #frame: Document;
  readonly #more: Partial<PlanInput>;
  #oid = 30_000;
  document: Document | undefined;
  catalog: Catalog;

  constructor(any: Any) {
    this.#any = any;
    const owner = this.#one(['', ...TEAMS, ...BARE]);
    this.#databases = this.#rarely(3) ? [{ name: 'shop', ...(owner === '' ? {} : { owner }), createdBy: this.#rarely(3) ? [this.#one(DECLARED)] : [] }] : [];
    this.#frame = read(JSON.stringify({ databases: this.#databases, users: [{ username: 'zz' }] }));
    for (const name of USERS) if (!this.#rarely(5)) this.#users.set(name, this.#user(name));
    for (const name of TEAMS) if (!this.#rarely(4)) this.#roles.set(name, this.#role(name));
    this.document = this.#read();
    const superuser = this.#rarely(2);
    const admin = superuser ? 'postgres' : 'adm';
    const major = this.#one([14, 16, 18]);
    const base = catalogOf([], []);
    const facts = base.databases.get('postgres');
    if (facts === undefined) throw new Error('there is no database');
    const there = [...OTHERS.filter(() => this.#rarely(2)), ...(superuser ? [] : ['adm'])];
    this.catalog = {
      ...base,
      server: { ...base.server, major, admin, superuser, grantor: superuser || major < 16 ? 'postgres' : admin },
      databases: new Map(['postgres', 'shop'].map((name) => [name, { ...facts, name, publicConnect: name === 'postgres' }])),
      parameters: new Map(['work_mem', 'jit'].map((name) => [name, 'user'])),
      cluster: {
        ...base.cluster,
        roles: new Map([...base.cluster.roles, ...there.map((name) => [name, { ...roleMade(name), createrole: name === 'adm' }] as const)]),
      },
    };
    const protectedRoles = new Set(this.#rarely(5) ? [this.#one(DECLARED)] : []);
    const allowedRoles = new Set(this.#rarely(4) ? [this.#one([...DECLARED, ...OTHERS])] : []);
    this.#more = { law: { ...policyOfPlans.law, adminLogin: admin, protectedRoles, allowedRoles }, revokes: this.#rarely(5) ? 'report' : 'apply' };
    if (this.document !== undefined) this.#makeAll(this.document);
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#any(list.length)] as T;
  }
  #rarely(times: number): boolean {
    return this.#any(times) === 0;
  }

  #user(username: string): object {
    const names = [...new Set([this.#one([...TEAMS, ...BARE]), ...(this.#rarely(3) ? [this.#one(DECLARED)] : [])])].filter((name) => name !== username);
    const roles = names.map((name) => (this.#rarely(6) ? { name, admin: this.#rarely(2) } : name));
    return {
      username,
      roles: this.#rarely(4) ? [] : roles,
      ...(this.#rarely(4) ? { comment: this.#one(['said', null]) } : {}),
      ...(this.#rarely(5) ? { connectionLimit: this.#any(3) } : {}),
      ...(this.#rarely(5) ? { validUntil: this.#one(['2030-01-01T00:00:00Z', 'infinity']) } : {}),
      ...(this.#rarely(5) ? { settings: { work_mem: this.#one(['1MB', '2MB']) } } : {}),
      ...(this.#rarely(6) ? { databases: ['shop'], databaseSettings: { shop: { jit: 'off' } } } : {}),
      ...(this.#rarely(6) ? { login: false } : {}),
      ...(this.#rarely(8) ? { grantsMode: 'additive' } : {}),
      ...(this.#rarely(15) ? { permissions: ['p'] } : {}),
    };
  }
  #role(name: string): object {
    const above = [...TEAMS.slice(TEAMS.indexOf(name) + 1), ...BARE];
    return {
      name,
      ...(this.#rarely(2) ? { memberOf: [this.#rarely(8) ? { name: this.#one(above), admin: true } : this.#one(above)] } : {}),
      ...(this.#rarely(5) ? { comment: 'said' } : {}),
      ...(this.#rarely(15) ? { permissions: ['p'] } : {}),
    };
  }

  /** undefined where anything is wrong with it. */
  #read(): Document | undefined {
    const [users, roles] = [[...this.#users.values()], [...this.#roles.values()]];
    const whole = read(JSON.stringify({ permissions: PERMISSIONS, databases: this.#databases, roles, users }));
    if (users.length === 0 || whole.problems.length > 0) return undefined;
    const { databases, guardrails } = this.#frame;
    return { ...whole, databases, guardrails, users: users.flatMap((user) => entryOf(user).users), roles: roles.flatMap((role) => entryOf(role).roles) };
  }

  input(document: Document): PlanInput {
    const passwords = new Map(this.#rarely(8) ? [[this.#one(USERS), 'drift' as const]] : []);
    return { ...inputOfPlans(document, this.catalog), ...this.#more, passwords };
  }

  /** The server as the document wants it. */
  #makeAll(document: Document): void {
    const input = this.input(document);
    const { cluster, entities } = desiredOf({ ...input, whole: document, law: lawOf(this.catalog, input.law, document), held: new Map() });
    const { roles, memberships } = this.catalog.cluster;
    const { admin, superuser, major } = this.catalog.server;
    const names = [...cluster.roles.keys()];
    const own = superuser || major < 16 ? [] : names.map((name) => member(name, admin, { admin: true, inherit: false, set: false }));
    const oids = new Map([...roles.keys(), ...names].map((name) => [name, (this.#oid += 1)]));
    const managed = names.map((name): [string, ManagedRole] => [
      name,
      {
        ...(MADE.managed.get(name) as ManagedRole),
        entity: entities.get(name) ?? 'role',
        origin: this.#rarely(5) ? 'adopted' : 'created',
        oid: oids.get(name) ?? 0,
      },
    ]);
    this.catalog = {
      ...this.catalog,
      oids,
      managed: new Map(managed),
      cluster: { roles: new Map([...roles, ...cluster.roles]), memberships: [...memberships, ...cluster.memberships, ...own], grants: cluster.grants },
    };
    // What somebody gave to our admin, and is nothing that a plan speaks of.
    if (!superuser && this.#rarely(2)) this.#addMembership(admin, 'postgres');
    for (let count = this.#any(3); count > 0; count -= 1) this.#byHand();
  }

  #here(): readonly string[] {
    return [...this.catalog.cluster.roles.keys()];
  }
  #set(cluster: Partial<Catalog['cluster']>): void {
    this.catalog = { ...this.catalog, cluster: { ...this.catalog.cluster, ...cluster } };
  }
  #setRole(name: string, more: Partial<Role>): void {
    const role = this.catalog.cluster.roles.get(name);
    if (role !== undefined) this.#set({ roles: new Map([...this.catalog.cluster.roles, [name, { ...role, ...more }]]) });
  }
  #addMembership(of: string, grantor: string): void {
    const role = this.#one(this.#here());
    if (role === of) return;
    const row = member(role, of, { grantor, admin: this.#rarely(5), inherit: !this.#rarely(5), set: !this.#rarely(5) });
    this.#set({ memberships: [...this.catalog.cluster.memberships, row] });
  }
  #make(name: string): void {
    if (this.catalog.cluster.roles.has(name)) return;
    this.catalog = { ...this.catalog, oids: new Map([...this.catalog.oids, [name, (this.#oid += 1)]]) };
    this.#set({ roles: new Map([...this.catalog.cluster.roles, [name, roleMade(name)]]) });
  }
  /** Under another name, or none at all. */
  #rename(name: string, to: string | undefined): void {
    const { roles, memberships, grants } = this.catalog.cluster;
    const role = roles.get(name);
    if (role === undefined || name === 'postgres' || name === this.catalog.server.admin || (to !== undefined && roles.has(to))) return;
    const renamed = (one: string): string => (one === name ? (to ?? '') : one);
    const oid = this.catalog.oids.get(name) ?? 0;
    const without = <T>(map: ReadonlyMap<string, T>, value: (name: string) => T): ReadonlyMap<string, T> =>
      new Map([...[...map].filter(([key]) => key !== name), ...(to === undefined ? [] : [[to, value(to)] as const])]);
    this.catalog = { ...this.catalog, oids: without(this.catalog.oids, () => oid) };
    const names = [name];
    this.#set({
      roles: without(roles, (next) => ({ ...role, name: next })),
      memberships: memberships
        .map((row) =>
          names.some((one) => [row.role, row.member, row.grantor].includes(one))
            ? member(renamed(row.role), renamed(row.member), { ...row, role: renamed(row.role), member: renamed(row.member), grantor: renamed(row.grantor) })
            : row,
        )
        .filter((row) => row.role !== '' && row.member !== ''),
      grants: grants.map((row) => (row.grantee === name ? { ...row, grantee: renamed(name) } : row)).filter((row) => row.grantee !== ''),
    });
  }

  #byHand(): void {
    const name = this.#one(this.#here());
    const { memberships, grants } = this.catalog.cluster;
    const managed = this.#one([...this.catalog.managed.values()]);
    const setManaged = (more: Partial<ManagedRole>): void => {
      this.catalog = { ...this.catalog, managed: new Map([...this.catalog.managed, [managed.name, { ...managed, ...more }]]) };
    };
    const connect = (): ConnectGrant => ({
      object: { kind: 'database', name: this.#one(['postgres', 'shop']) },
      grantee: name,
      grantor: this.#one(['postgres', ...this.#here()]),
      privilege: 'CONNECT',
      grantable: this.#rarely(3),
    });
    const edits: readonly (() => void)[] = [
      () => this.#addMembership(name, this.#rarely(3) ? this.#one(this.#here()) : this.catalog.server.grantor),
      () => this.#addMembership(name, this.catalog.server.grantor),
      () => this.#set({ memberships: memberships.toSpliced(this.#any(memberships.length + 1), 1) }),
      () =>
        this.#setRole(
          name,
          this.#one<Partial<Role>>([{ superuser: true }, { superuser: false }, { createrole: true }, { bypassrls: true }, { replication: true }]),
        ),
      () => this.#setRole(name, this.#one<Partial<Role>>([{ login: true }, { login: false }, { inherit: false }, { connectionLimit: 3 }, { createdb: true }])),
      () =>
        this.#setRole(
          name,
          this.#one<Partial<Role>>([
            { validUntil: '2020-01-01T00:00:00.000Z' },
            { comment: 'by hand' },
            { settings: new Map([['', new Map([['jit', 'on']])]]) },
          ]),
        ),
      () => this.#rename(name, undefined),
      () => this.#rename(name, this.#one([...DECLARED, 'renamed'])),
      () => this.#make(this.#one([...OTHERS, ...DECLARED])),
      () => setManaged(this.#one<Partial<ManagedRole>>([{ origin: 'adopted' }, { origin: 'created' }, { source: 'other/one' }, { privileges: true }])),
      () => setManaged(this.#one<Partial<ManagedRole>>([{ status: 'disabled' }, { entity: 'user' }, { entity: 'role' }, { oid: 7 }])),
      () => (this.catalog = { ...this.catalog, managed: new Map([...this.catalog.managed].filter(([one]) => one !== managed.name)) }),
      () => this.#set({ grants: [...grants, connect()] }),
      () => this.#set({ grants: grants.toSpliced(this.#any(grants.length + 1), 1) }),
    ];
    if (managed !== undefined) this.#one(edits)();
  }

  #inDocument(): void {
    const [users, roles] = [this.#users, this.#roles];
    [this.#users, this.#roles] = [new Map(users), new Map(roles)];
    const [user, team] = [this.#one(USERS), this.#one(TEAMS)];
    const edits: readonly (() => void)[] = [
      () => this.#users.set(user, this.#user(user)),
      () => this.#users.delete(user),
      () => this.#roles.set(team, this.#role(team)),
      () => this.#roles.delete(team),
    ];
    this.#one(edits)();
    const document = this.#read();
    if (document === undefined) [this.#users, this.#roles] = [users, roles];
    else this.document = document;
  }

  edit(): void {
    if (this.#rarely(4)) this.#inDocument();
    else this.#byHand();
  }
}

it('whatever is changed, the plan of a part is that of everything', () => {
  let made = 0;
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      const world = new World((below) => gen(fc.nat, { max: below - 1 }));
      let quiet: Quiet | undefined;
      for (let step = 0; step < 6 && world.document !== undefined; step += 1) {
        const input = world.input(world.document);
        const [part, whole] = [partOf(quiet, input), plan(input)];
        if (part !== undefined) expect(part).toStrictEqual(whole);
        if (part !== undefined) made += 1;
        quiet = quietOf(input, whole) ?? quiet;
        if (quiet === undefined && step > 1) break;
        for (let count = 1 + Number(step % 2 === 0); count > 0; count -= 1) world.edit();
      }
    }),
    { seed: 20_261_128, numRuns: Number(process.env['COUNT'] ?? 120) },
  );
  expect(made).toBeGreaterThan(8);
});
