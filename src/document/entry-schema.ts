// The shape of one entry of `users`, without its settings: what each value may be, said for the author where it is not.
import { z } from 'zod';
import { drainTime } from '../model/duration.ts';
import { LIMITS } from '../model/limits.ts';
import { type NameKind, nameProblem, secretKeyProblem, secretNameProblem, textProblem } from './names.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import type { DeletionPolicy } from '../model/entries.ts';
import { readValidUntil } from './valid-until.ts';

export const POLICIES: readonly DeletionPolicy[] = ['drop', 'disable', 'retain'];
const LIMIT_RULE = 'must be a whole number from -1 (no limit) to 2147483647';

/** Text that a rule says something about: undefined is no problem. */
export const textWith = (problemOf: (text: string) => string | undefined) =>
  z.string().check((context) => {
    const message = problemOf(context.value);
    if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value });
  });

export const name = (kind: NameKind) => textWith((text) => nameProblem(text, kind));

/** A membership: a role's name, or a mapping with its options. */
export const membership = z.preprocess(
  (value) => (typeof value === 'string' ? { name: value } : value),
  z.object({ name: name('role'), admin: z.boolean().optional(), inherit: z.boolean().optional(), set: z.boolean().optional() }),
);

const validUntil = z.string().transform((text, context) => {
  const moment = readValidUntil(text);
  if (moment !== undefined) return moment;
  context.addIssue({ code: 'custom', message: `${show(text)} is no moment; write \`2027-01-31\`, \`2027-01-31T12:00:00Z\` or \`infinity\`` });
  return z.NEVER;
});

export const deletionPolicy = z.string().transform((text, context) => {
  const policy = POLICIES.find((known) => known === text);
  if (policy !== undefined) return policy;
  const near = suggest(text, POLICIES);
  const hint = near === undefined ? '' : `; did you mean \`${near}\`?`;
  context.addIssue({ code: 'custom', message: `${show(text)} is no policy: it must be \`drop\`, \`disable\` or \`retain\`${hint}` });
  return z.NEVER;
});

const drain = textWith((text) =>
  drainTime(text) === undefined
    ? `${show(text)} is no way to end sessions; write \`terminate\`, \`keep\` or a duration as \`30s\`, \`5m\`, \`2h\`, \`1d\``
    : undefined,
);

const commentText = textWith((text) => {
  const problem = text.length > LIMITS.comment ? `has ${text.length} characters; at most ${LIMITS.comment} are taken` : textProblem(text);
  return problem === undefined ? undefined : `the comment ${problem}`;
});

/** The server stores no empty comment. */
export const comment = commentText.transform((text) => (text === '' ? null : text)).nullish();

export const MODES = ['authoritative', 'additive'] as const;

export const grantsMode = z.string().transform((text, context) => {
  const mode = MODES.find((known) => known === text);
  if (mode !== undefined) return mode;
  const near = suggest(text, MODES);
  const hint = near === undefined ? '' : `; did you mean \`${near}\`?`;
  context.addIssue({ code: 'custom', message: `${show(text)} is no mode: it must be \`authoritative\` or \`additive\`${hint}` });
  return z.NEVER;
});

/** How the operator calls an author: a DNS label. */
export const authorName = textWith((text) =>
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)
    ? undefined
    : `${show(text)} is no name of an author: these have small letters, digits and hyphens, at most 63`,
);

/** Keys that are not named here are for `unknownKeys` to report: zod would lose one called `__proto__`. */
export const entrySchema = z.object({
  username: name('user'),
  renamedFrom: name('user').optional(),
  database: name('database').optional(),
  databases: z.array(name('database')).optional(),
  roles: z.array(membership).nullish(),
  passwordSecretRef: z.object({ name: textWith(secretNameProblem), key: textWith(secretKeyProblem).default('password') }).optional(),
  connectionLimit: z.int({ error: LIMIT_RULE }).min(-1, LIMIT_RULE).max(2_147_483_647, LIMIT_RULE).optional(),
  validUntil: validUntil.optional(),
  comment,
  assumeRole: name('role').optional(),
  permissions: z.array(z.string()).optional(),
  grantsMode: grantsMode.optional(),
  login: z.boolean().optional(),
  deletionPolicy: deletionPolicy.optional(),
  drain: drain.optional(),
  movedTo: authorName.optional(),
});

export type EntryValues = z.output<typeof entrySchema>;
