// Attributes of a role: as ALTER ROLE is told, and as people read them.
import type { Role } from '../model/cluster.ts';
import { literal } from '../sql/sql-text.ts';

/** The attributes that ALTER ROLE can set here. */
export type Attributes = Pick<Role, 'login' | 'inherit' | 'createdb' | 'createrole' | 'bypassrls' | 'connectionLimit' | 'validUntil'>;

/** What lets somebody log in again. */
export type Opening = Partial<Pick<Attributes, 'login' | 'validUntil'>>;

/** @param moment how a moment is written. */
function listed(attributes: Partial<Attributes>, moment: (text: string) => string): string[] {
  const word = (value: boolean | undefined, name: string): string[] => (value === undefined ? [] : [value ? name : `NO${name}`]);
  return [
    ...word(attributes.login, 'LOGIN'),
    ...word(attributes.inherit, 'INHERIT'),
    ...word(attributes.createdb, 'CREATEDB'),
    ...word(attributes.createrole, 'CREATEROLE'),
    ...word(attributes.bypassrls, 'BYPASSRLS'),
    ...(attributes.connectionLimit === undefined ? [] : [`CONNECTION LIMIT ${attributes.connectionLimit}`]),
    // NULL is not accepted here: once set, only infinity takes an end away.
    ...(attributes.validUntil === undefined ? [] : [`VALID UNTIL ${moment(attributes.validUntil ?? 'infinity')}`]),
  ];
}

export const attributeWords = (attributes: Partial<Attributes>): string => listed(attributes, (text) => text).join(', ');

/** What follows the name of the role. */
export const attributesSql = (attributes: Partial<Attributes>): string =>
  listed(attributes, literal)
    .map((one) => ` ${one}`)
    .join('');

/** Only what differs from CREATE ROLE's own defaults: a CREATEROLE admin may not even say NOSUPERUSER. */
export const creationAttributes = ({ login, inherit, connectionLimit, validUntil }: Attributes): Partial<Attributes> => ({
  ...(login ? { login } : {}),
  ...(inherit ? {} : { inherit }),
  ...(connectionLimit === -1 ? {} : { connectionLimit }),
  ...(validUntil === null ? {} : { validUntil }),
});
