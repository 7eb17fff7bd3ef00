// Default privileges as ALTER DEFAULT PRIVILEGES changes them, and what an object that is made by them has.
import { type AclEntry, type DefaultAcl } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';
import { type Acl, aclOf, builtIn, give, isSameAcl, renamed, take } from './acl.ts';

/** Whose objects of a kind, and in which schema; empty for every schema. */
export type DefaultOf = Pick<DefaultAcl, 'creator' | 'schema' | 'kind'>;

type Row = DefaultOf & { acl: Acl };

const keyOf = ({ creator, schema, kind }: DefaultOf): string => `${creator}\0${schema}\0${kind}`;

/** What was granted by default has its creator as the grantor: nobody else can have given it. */
const NEVER = (): boolean => false;

export class Defaults {
  readonly #rows = new Map<string, Row>();
  readonly #major: number;

  constructor(rows: readonly DefaultAcl[], major: number) {
    this.#major = major;
    for (const { entries, ...of } of rows) this.#rows.set(keyOf(of), { ...of, acl: aclOf(entries) });
  }

  /** What there is without a row: for one schema, nothing beside what holds in all. */
  #without({ creator, schema, kind }: DefaultOf): Acl {
    return schema === '' ? builtIn(kind, creator, this.#major) : aclOf([]);
  }

  #change(of: DefaultOf, work: (acl: Acl) => void): void {
    const key = keyOf(of);
    const { creator, schema, kind } = of;
    const row = this.#rows.get(key) ?? { creator, schema, kind, acl: this.#without(of) };
    work(row.acl);
    if (isSameAcl(row.acl, this.#without(of))) this.#rows.delete(key);
    else this.#rows.set(key, row);
  }

  give(of: DefaultOf, role: string, privileges: readonly string[], grantable: boolean): void {
    this.#change(of, (acl) => {
      for (const privilege of privileges) give(acl, { grantee: role, grantor: of.creator, privilege, grantable });
    });
  }

  take(of: DefaultOf, role: string, privileges: readonly string[], optionOnly: boolean): void {
    this.#change(of, (acl) => {
      for (const privilege of privileges) take(acl, { grantee: role, grantor: of.creator, privilege }, optionOnly, NEVER);
    });
  }

  /** Nothing is given to a role any longer; @param creates whether what it gives itself is ended as well. */
  leave(role: string, creates: boolean): void {
    for (const [key, row] of this.#rows) {
      if (row.creator === role) {
        if (creates) this.#rows.delete(key);
        continue;
      }
      const named = [...row.acl.values()].filter(({ grantee }) => grantee === role);
      if (named.length > 0) this.take(row, role, [...new Set(named.map(({ privilege }) => privilege))], false);
    }
  }

  rename(naming: (name: string) => string): void {
    const rows = [...this.#rows.values()];
    this.#rows.clear();
    for (const { creator, acl, ...of } of rows) {
      const row = { ...of, creator: naming(creator), acl: renamed(acl, naming) };
      this.#rows.set(keyOf(row), row);
    }
  }

  /** The ACL of an object that is made now. */
  made(kind: ObjectKind, owner: string, schema: string): { readonly untouched: boolean; readonly entries: readonly AclEntry[] } {
    const usual = builtIn(kind, owner, this.#major);
    const everywhere = this.#rows.get(keyOf({ creator: owner, schema: '', kind }))?.acl;
    const here = schema === '' ? undefined : this.#rows.get(keyOf({ creator: owner, schema, kind }))?.acl;
    const acl: Acl = new Map(everywhere ?? usual);
    for (const entry of here?.values() ?? []) give(acl, entry);
    return { untouched: isSameAcl(acl, usual), entries: [...acl.values()] };
  }

  rows(): readonly DefaultAcl[] {
    return [...this.#rows.values()].map(({ acl, ...of }) => ({ ...of, entries: [...acl.values()] }));
  }
}
