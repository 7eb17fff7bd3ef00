// Which names the server and Kubernetes take, and the Secret that belongs to a user.
import { LIMITS } from '../model/limits.ts';
import { show } from './show.ts';

export type NameKind = 'user' | 'role' | 'database' | 'schema' | 'extension';

/** NAMEDATALEN - 1. A longer name is cut without an error, and DROP ROLE on it would then drop somebody else's role. */
const NAME_BYTES = 63;
/** The server refuses them as role names in any spelling that it does not fold, even in quotes. */
const RESERVED: ReadonlySet<string> = new Set(['public', 'none']);
const SECRET_NAME_LENGTH = 253;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/** What is wrong with a name and what to do, or undefined. Whether the server can store it at all comes first. */
export function nameProblem(name: string, kind: NameKind): string | undefined {
  const unstorable = storageProblem(name, kind);
  if (unstorable !== undefined || (kind !== 'user' && kind !== 'role')) return unstorable;
  if (RESERVED.has(name)) return `${show(name)} is a reserved word that no role can be called; choose another name`;
  if (kind === 'user' && name.startsWith('pg_')) return `${show(name)} starts with \`pg_\`, which the server reserves for its own roles; choose another name`;
  return undefined;
}

/** Whether the server can hold a name exactly as it stands. */
export const isStorable = (name: string): boolean => storageProblem(name, 'role') === undefined;

/**
 * What is wrong with the pattern of an object's name. Argument lists of functions may be longer than a name, and so may be a parameter's parts together.
 * @param what the kind of object, as a word.
 */
export function patternProblem(pattern: string, what: string): string | undefined {
  if (what === 'parameter') return pattern.includes('*') ? storageProblem(pattern, what) : parameterProblem(pattern);
  const open = what === 'function' ? pattern.indexOf('(') : -1;
  if (open === -1) return storageProblem(pattern, what);
  if (pattern.length > LIMITS.functionPattern) return tooLong(pattern, LIMITS.functionPattern);
  const text = textProblem(pattern);
  return text === undefined ? storageProblem(pattern.slice(0, open).trim(), what) : `the name ${show(pattern)} ${text}`;
}

const PARAMETER = /^[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)*$/;

/** The server's rule for the name of a parameter. It cuts each part like any other name, and would then set another parameter. */
export function parameterProblem(name: string): string | undefined {
  if (name.length > LIMITS.parameterName) return tooLong(name, LIMITS.parameterName);
  if (!PARAMETER.test(name)) return `${show(name)} is no name of a parameter; use letters, digits, \`_\` and \`$\`, with dots between the parts`;
  return name
    .split('.')
    .map((part) => storageProblem(part, 'parameter'))
    .find((problem) => problem !== undefined);
}

const tooLong = (name: string, most: number): string =>
  `the name ${show(name)} has ${name.length} characters, and at most ${most} are read; use a shorter one, or a pattern`;

function storageProblem(name: string, kind: string): string | undefined {
  if (name === '') return `the name of a ${kind} must not be empty`;
  const text = textProblem(name);
  if (text !== undefined) return `the name ${show(name)} ${text}`;
  const bytes = Buffer.byteLength(name);
  if (bytes <= NAME_BYTES) return undefined;
  return `the name ${show(name)} is ${bytes} bytes long, and the server would cut it after ${NAME_BYTES}; choose a shorter one`;
}

/** What keeps a text from reaching the server unchanged. */
export function textProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'contains a NUL character, which the server cannot store; remove it';
  if (!text.isWellFormed()) return 'contains half of a surrogate pair, which is no character; remove it';
  return undefined;
}

/** `user-<username>-secret`, every character that a Secret name cannot have replaced by `-` (design §3.2). */
export const derivedSecretName = (username: string): string => `user-${username.replaceAll(/[^a-z0-9.-]/gu, '-')}-secret`;

/** Kubernetes' rule for the name of a Secret: a DNS-1123 subdomain. The name is not quoted: a password may stand there by mistake. */
export function secretNameProblem(name: string): string | undefined {
  if (name.length > SECRET_NAME_LENGTH) return `a Secret name has at most ${SECRET_NAME_LENGTH} characters, and this has ${name.length}`;
  if (SUBDOMAIN.test(name)) return undefined;
  return 'this is no name of a Secret; use lower-case letters, digits, `-` and `.`, with a letter or digit at both ends of each part';
}

/** Kubernetes' rule for a key of a Secret. */
export function secretKeyProblem(key: string): string | undefined {
  if (/^[-._a-zA-Z0-9]{1,253}$/.test(key) && key !== '.' && !key.startsWith('..')) return undefined;
  return 'this is no key of a Secret; use 1 to 253 letters, digits, `-`, `_` and `.`, not starting with `..`';
}

/** Kubernetes' rule for the name of a namespace: a DNS-1123 label. */
export const namespaceProblem = (name: string): string | undefined =>
  /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(name) ? undefined : 'this is no name of a namespace; use 1 to 63 lower-case letters, digits and `-`';

const LABEL = /^[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;

/** Kubernetes' rule for the key of a label or an annotation: a name, with an optional prefix before a slash. */
export function labelKeyProblem(key: string): string | undefined {
  const [last = '', prefix, more] = key.split('/').toReversed();
  const isGood = LABEL.test(last) && more === undefined && (prefix === undefined || (prefix.length <= SECRET_NAME_LENGTH && SUBDOMAIN.test(prefix)));
  return isGood ? undefined : 'this is no key of a label or an annotation; use `name` or `prefix.example.com/name`';
}

/** Kubernetes' rule for the value of a label. */
export const labelValueProblem = (value: string): string | undefined =>
  value === '' || LABEL.test(value) ? undefined : 'this is no value of a label; use up to 63 letters, digits, `-`, `_` and `.`';
