// Attributes of roles as other tools have them: which of them a document can say, and what becomes of the others.
import type { Draft, EntryDraft } from './draft.ts';
import { isOff, isOn } from './given.ts';

/** What a role of another tool is; undefined: it does not say. */
export interface Attributes {
  readonly login: boolean;
  readonly inherit?: boolean;
  readonly superuser?: boolean;
  readonly replication?: boolean;
  readonly createdb?: boolean;
  readonly createrole?: boolean;
  readonly bypassrls?: boolean;
  readonly connectionLimit?: number | undefined;
  readonly validUntil?: string | undefined;
  readonly comment?: string | undefined;
}

/** What a role of another tool is by PostgreSQL's names in small letters; who has others gives what stands there. */
export const flagsOf = (flag: (name: string) => unknown): Attributes => ({
  login: isOn(flag('login')),
  inherit: !isOff(flag('inherit')),
  superuser: isOn(flag('superuser')),
  replication: isOn(flag('replication')),
  createdb: isOn(flag('createdb')),
  createrole: isOn(flag('createrole')),
  bypassrls: isOn(flag('bypassrls')),
});

/** A limit that is written as a number or a text; undefined for what is none. */
export function limitIn(value: unknown): number | undefined {
  const limit = Number(value ?? -1);
  return Number.isSafeInteger(limit) ? limit : undefined;
}

/** The entry of a role with what can be said of it. @returns undefined where pgsteward keeps no such role, which is said. */
export function described(draft: Draft, name: string, attributes: Attributes): EntryDraft | undefined {
  const { login, inherit = true, superuser, replication, createdb, createrole, bypassrls, connectionLimit, validUntil, comment } = attributes;
  const entry = draft.entry(name);
  if (superuser === true || replication === true) {
    draft.remark(
      name,
      `left out: it is ${superuser === true ? 'a superuser' : 'a role with REPLICATION'}, and pgsteward neither makes nor changes such roles; keep it by hand`,
    );
    draft.leaveOut(name);
    return undefined;
  }
  if (createrole === true || bypassrls === true)
    draft.remark(
      name,
      `${[createrole === true ? 'CREATEROLE' : '', bypassrls === true ? 'BYPASSRLS' : ''].filter(Boolean).join(' and ')} is not in the document: pgsteward gives it to nobody, and adopts a role that has it only where ALLOWED_ROLES names the role`,
    );
  if (createdb === true) draft.remark(name, 'CREATEDB is not in the document: a role that has it keeps it, and a new one does not get it');
  entry.login = login;
  entry.inherit = inherit;
  if (!inherit) draft.remark(name, 'NOINHERIT became `inherit: false` of its memberships, which PostgreSQL has from 16 on');
  if (connectionLimit !== undefined && connectionLimit !== -1) entry.keys.set('connectionLimit', connectionLimit);
  if (validUntil !== undefined && validUntil !== 'infinity') entry.keys.set('validUntil', validUntil);
  if (comment !== undefined) entry.keys.set('comment', comment);
  if (!login)
    for (const key of ['connectionLimit', 'validUntil'])
      if (entry.keys.delete(key)) draft.remark(name, `${key} is not in the document: a role that nobody logs in with has none`);
  return entry;
}

/** The Secret of a user's password. */
export function passwordFrom(entry: EntryDraft, name: string, key: string): void {
  entry.keys.set(
    'passwordSecretRef',
    new Map([
      ['name', name],
      ['key', key],
    ]),
  );
}

/** A user whose password no file tells: it stays as it is until there is a Secret. */
export function passwordStays(draft: Draft, entry: EntryDraft, why: string): void {
  entry.keys.set('password', 'none');
  draft.remark(
    entry.name,
    `\`password: none\`, so that its password stays as it is: ${why}. Put it into a Secret and take the line away, and pgsteward keeps it`,
  );
}
